"""From images in memory to embeddings in memory: the one place that runs the encoder for inference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mergerscope.learn.device import autocast
from mergerscope.learn.encoder import Encoder
from mergerscope.shards.sample import Pixels

__all__ = ["Embedded", "embed_images", "orientations", "pool_images", "reduce_features"]


@dataclass(frozen=True, slots=True)
class Embedded:
    """What the encoder says of N galaxies."""

    embedding: npt.NDArray[np.float32]
    """(N, D)."""
    pairs_logit: npt.NDArray[np.float32] | None
    """(N,) log-odds of two galaxies in the image, where the encoder has that head."""


def embed_images(
    encoder: Encoder,
    images: Pixels,
    *,
    views: int,
    batch_size: int,
    device: torch.device | str = "cpu",
    advance: Callable[[int], object] | None = None,
) -> Embedded:
    """Embed images (N, C, H, W) as the shards hold them, averaged over ``views`` (1 or 8) rotations and flips.

    ``advance`` is called with the number of galaxies of each finished batch.
    """
    features, logits = pool_images(encoder, images, views=views, batch_size=batch_size, device=device, advance=advance)
    return Embedded(reduce_features(encoder, features, device), None if logits is None else logits.numpy())


def reduce_features(
    encoder: Encoder, features_NF: Tensor, device: torch.device | str = "cpu"
) -> npt.NDArray[np.float32]:
    """Bring pooled features (N, F), already the mean over views, to embeddings (N, D)."""
    with torch.inference_mode():
        # The reduction is linear, so it may come after the mean over views; once a galaxy instead of eight times.
        parts = [encoder.reduce(block.to(device)).cpu() for block in torch.split(features_NF, 8192)]
        return (torch.cat(parts) if parts else torch.empty(0, encoder.config.output_dim)).numpy()


def pool_images(
    encoder: Encoder,
    images: Pixels,
    *,
    views: int,
    batch_size: int,
    device: torch.device | str = "cpu",
    advance: Callable[[int], object] | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Return pooled features (N, F) before any reduction, and pairs logits (N,) or None, both on the CPU."""
    device = torch.device(device)
    was_training = encoder.training
    encoder = encoder.to(device).eval()
    features = torch.empty(len(images), encoder.config.feature_dim)
    logits = torch.empty(len(images)) if encoder.has_pairs_head else None
    with torch.inference_mode(), autocast(device):
        for start in range(0, len(images), batch_size):
            batch = encoder.prepare(torch.from_numpy(images[start : start + batch_size]).to(device))
            rows = slice(start, start + len(batch))
            pooled = torch.zeros(len(batch), encoder.config.feature_dim, device=device)
            logit = torch.zeros(len(batch), device=device)
            for view in orientations(batch, views):
                maps = encoder.stages(view)
                pooled += encoder.pool(maps)
                if logits is not None:
                    logit += encoder.pairs_logit_of(maps)
            features[rows] = (pooled / views).cpu()
            if logits is not None:
                logits[rows] = (logit / views).cpu()
            if advance is not None:
                advance(len(batch))
    encoder.train(was_training)
    return features, logits


def orientations(images: Tensor, views: int) -> Iterator[Tensor]:
    """Yield images (B, C, H, W) as they are, or in all 8 orientations of the square."""
    for index in range(views):
        flipped = images if index < 4 else images.flip(3)
        yield flipped if index % 4 == 0 else torch.rot90(flipped, index % 4, (2, 3))
