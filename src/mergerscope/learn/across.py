"""What the processes of one training tell each other. In a process that trains alone, nothing changes hands.

Shapes: R processes, b galaxies in the batch of one of them, B = R b in all.

Every process calls these at the same point, with tensors of the same shape. The loss of the training is the mean of
the processes' losses: DistributedDataParallel averages their gradients. So what flows back to a process through
`gather` is the sum of what all of them send, and the mean over processes is then the gradient of that mean.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["collect", "deal", "gather", "mean", "processes", "rank", "take_over"]


def processes() -> int:
    """Return the number of processes that train together now."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this one, from 0."""
    return dist.get_rank() if processes() > 1 else 0


def gather(own: Tensor) -> Tensor:
    """Return the tensors (b, ...) of all processes as one (B, ...), in the order of the processes; gradients flow."""
    if processes() == 1:
        return own
    all_of_them: Tensor = _Gather.apply(own)  # type: ignore[no-untyped-call]
    return all_of_them


def mean(own: Tensor) -> Tensor:
    """Return the mean over the processes, without a gradient."""
    if processes() == 1:
        return own
    total = own.detach().clone()
    dist.all_reduce(total)
    return total / processes()


def deal(own: Tensor) -> Tensor:
    """Return (b, ...): every R-th galaxy of all processes' (b, ...), so that each process gets some of each other's."""
    return own if processes() == 1 else gather(own)[rank() :: processes()]


def collect(dealt: Tensor) -> Tensor:
    """Return (B, ...) in the order of `gather` from what each process made of the galaxies it was dealt."""
    return gather(dealt).view(processes(), *dealt.shape).transpose(0, 1).flatten(0, 1)


def take_over(own: Tensor) -> None:
    """Give a tensor the values that it has in the first process, in place."""
    if processes() > 1:
        dist.broadcast(own, 0)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        parts = [torch.empty_like(own, memory_format=torch.contiguous_format) for _ in range(processes())]
        dist.all_gather(parts, own.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total.chunk(processes())[rank()]
