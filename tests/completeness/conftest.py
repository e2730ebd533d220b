from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

SIDE = 64


@pytest.fixture
def sky_field() -> Callable[..., Any]:
    """A noisy sky (3, 64, 64) with a galaxy in the middle and stars of a Gaussian width around it."""

    def make(seed: int, sigma: float = 1.2, stars: int = 6, galaxy: float = 0.5, grain: float = 0.7) -> Any:
        rng = np.random.default_rng(seed)
        noise = gaussian_filter(rng.standard_normal((3, SIDE, SIDE)), (0, grain, grain))
        image = 0.05 + 0.01 * noise / noise.std()
        axis = np.arange(SIDE)
        y, x = axis[:, None], axis[None, :]
        image += galaxy * np.exp(-np.hypot(y - 31.5, x - 31.5) / 2.5)
        for number in range(stars):
            angle = 2 * np.pi * (number + rng.uniform(0, 0.2)) / stars
            at_y, at_x = 31.5 + 20 * np.sin(angle), 31.5 + 20 * np.cos(angle)
            image += 0.35 * np.exp(-0.5 * ((y - at_y) ** 2 + (x - at_x) ** 2) / sigma**2)
        return np.clip(image, 0, 1)

    return make
