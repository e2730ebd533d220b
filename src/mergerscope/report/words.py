"""Names and numbers as a reader sees them."""

from __future__ import annotations

import math

__all__ = ["ENCODERS", "RANKERS", "decimal", "encoder_name", "interval", "percent", "ranker_name"]

ENCODERS = {
    "trained": ("this encoder", "the network trained in this run"),
    "untrained": ("untrained network", "the same network with random weights: what the architecture gives for nothing"),
    "rgb_pixels": ("RGB pixels", "the image itself as a list of numbers"),
    "pca_pixels": ("PCA of pixels", "principal components of the images"),
    "moco_references": ("MoCo v2 on references", "contrastive training on the known examples alone"),
}
RANKERS = {
    "mean_cosine": ("mean cosine", "mean cosine similarity to all references"),
    "centred": ("centred", "the same after the mean of the pool is subtracted"),
    "whitened": ("whitened", "the same after whitening with the covariance of the pool"),
    "nearest": ("nearest", "mean similarity to the most similar references"),
    "contrast": ("contrast", "likeness to the nearest references less likeness to the nearest background"),
    "density": ("density", "how much denser references lie around a galaxy than galaxies in general"),
    "lda": ("LDA", "linear discriminant of references against the background"),
    "logistic": ("logistic", "logistic regression of references against the background"),
    "pairs_head": ("pairs head", "the network's own opinion, learnt from synthetic pairs; needs no reference"),
    "blend": ("blend", "density and the pairs head together"),
}
NONE = "\N{EN DASH}"


def encoder_name(encoder: str) -> str:
    """What a row's encoder is called in tables and labels."""
    return ENCODERS.get(encoder, (encoder.replace("_", " "), ""))[0]


def ranker_name(ranker: str) -> str:
    """What a ranker is called in tables and labels."""
    return RANKERS.get(ranker, (ranker.replace("_", " "), ""))[0]


def is_number(value: object) -> bool:
    """Whether ``value`` is a finite number; metrics are None where they are not defined."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def decimal(value: float | None, digits: int = 2) -> str:
    """A number with ``digits`` decimals, with more where it would read as zero; a dash where there is none."""
    if value is None or not is_number(value):
        return NONE
    text = f"{value:.{digits}f}"
    if value and abs(value) < 10**-digits:
        text = f"{value:.1g}" if abs(value) >= 1e-4 else f"{value:.0e}"
    return text.replace("-", "\N{MINUS SIGN}")


def percent(value: float | None) -> str:
    """A fraction as a percentage: no decimals from 10 % on, two figures below."""
    if value is None or not is_number(value):
        return NONE
    value *= 100
    digits = 0 if value >= 9.95 or value == 0 else 1 if value >= 0.095 else 2
    return f"{value:.{digits}f}\N{NO-BREAK SPACE}%"


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """Two ends as ``0.55`` EN DASH ``0.69``; nothing where one is not known."""
    if low is None or high is None:
        return ""
    return f"{decimal(low, digits)}\N{EN DASH}{decimal(high, digits)}"
