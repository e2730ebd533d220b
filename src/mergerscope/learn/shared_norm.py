"""Batch normalisation over the batches of all devices at once.

With statistics of its own, a device could tell its galaxies from those of others, and a contrastive loss would learn
that (Chen et al. 2020, arXiv:2002.05709, section 2.2). Over all, they are those that one device with the whole batch
would have. CUDA has torch's own; on a CPU, where that does not work, it is `SharedBatchNorm`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mergerscope.learn.across import gather, processes

__all__ = ["SharedBatchNorm", "own_norms", "share_norms"]

Norm = nn.modules.batchnorm._BatchNorm


class SharedBatchNorm(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d` whose statistics, while it trains, are of the batches of all processes."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (b, C, H, W); b, H and W are the same in all processes."""
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        own_var, own_mean = torch.var_mean(x.float(), (0, 2, 3), correction=0)
        means, variances = gather(torch.stack([own_mean, own_var])[None]).unbind(1)
        # All batches are of one size, so the variance of all is the mean of theirs and the variance of their means.
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)
        with torch.no_grad():
            count = processes() * x.numel() / x.shape[1]
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return (x.float() * scale[:, None, None] + shift[:, None, None]).to(x.dtype)


def share_norms(module: nn.Module, device: torch.device) -> None:
    """Let all batch normalisations in a module have the statistics of all processes."""
    _replace(module, nn.SyncBatchNorm if device.type == "cuda" else SharedBatchNorm)


def own_norms(module: nn.Module) -> None:
    """Undo `share_norms`: weights and statistics stay as they are."""
    _replace(module, nn.BatchNorm2d)


def _replace(module: nn.Module, kind: type[Norm]) -> None:
    for name, child in list(module.named_children()):
        if isinstance(child, Norm):
            fresh = kind(child.num_features, child.eps, child.momentum).train(child.training)
            # The very same tensors: an optimiser may hold them.
            fresh.weight, fresh.bias = child.weight, child.bias
            for buffer in ("running_mean", "running_var", "num_batches_tracked"):
                setattr(fresh, buffer, getattr(child, buffer))
            setattr(module, name, fresh)
        else:
            _replace(child, kind)
