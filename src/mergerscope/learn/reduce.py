"""Fit what brings pooled features to the size of an embedding: standardisation, then principal components."""

from __future__ import annotations

import torch
from torch import Tensor

from mergerscope.learn.encoder import Encoder

__all__ = ["fit_reduction"]


def fit_reduction(encoder: Encoder, features_NF: Tensor) -> None:
    """Fit the reduction of an encoder with ``pooling: stages`` to pooled features (N, F); else do nothing.

    Each feature is brought to mean 0 and variance 1 first: maxima have several times the spread of means and
    would fill the leading components. A component beyond the rank of the sample is 0.
    """
    if encoder.config.pooling != "stages":
        return
    x = features_NF.double()
    mean, scale = x.mean(0), x.std(0, correction=0)
    # A dead channel has no spread; dividing by 1 leaves it at 0.
    scale = torch.where(scale > 1e-6 * scale.max(), scale, torch.ones_like(scale))
    encoder.feature_mean.copy_(mean)
    encoder.feature_scale.copy_(scale)
    if len(encoder.components) == x.shape[1]:
        return
    correlation = ((x - mean) / scale).T @ ((x - mean) / scale) / len(x)
    values, vectors = torch.linalg.eigh(correlation)
    leading = vectors.flip(1)[:, : len(encoder.components)].T
    # What is orthogonal to the whole sample is an arbitrary direction, and a different one on every machine.
    leading = leading * (values.flip(0)[: len(leading), None] > 1e-10 * values[-1])
    # The sign of an eigenvector is arbitrary: fix it, so that equal features give equal components.
    largest = leading.gather(1, leading.abs().argmax(1, keepdim=True))
    encoder.components.copy_(leading * torch.sign(largest))
