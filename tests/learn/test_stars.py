"""Stars: Moffat profiles of the colours of black bodies, where they are said to be."""

import numpy as np
import pytest
import torch

from mergerscope.learn import stars
from mergerscope.learn.stars import draw_stars


def draw(count=400, side=24, radius=0.2, seed=0, channels=3):
    field = torch.zeros(count, channels, side, side)
    return draw_stars(field, torch.full((count,), radius), torch.Generator().manual_seed(seed))


def linear(light):
    """Undo the saturation of the display."""
    light = light.double()
    return light / (1 - light)


def test_light_stays_within_the_display():
    light = draw()
    assert light.shape == (400, 3, 24, 24)
    assert 0 <= light.min() <= light.max() < 1


def test_the_profile_is_moffats():
    """The flux to the power of -1/3 is a paraboloid, round, and 1 + d2 / alpha2 at distance d of the centre."""
    light = linear(draw(count=50, side=32))[:, 1].numpy()
    at = np.linspace(-1, 1, 32)
    x, y = np.meshgrid(at, at)
    terms = np.stack([np.ones_like(x), x, y, x**2 + y**2], axis=-1).reshape(-1, 4)
    for flux in light:
        values = flux.reshape(-1) ** (-1 / 3)
        fitted, *_ = np.linalg.lstsq(terms, values, rcond=None)
        np.testing.assert_allclose(terms @ fitted, values, rtol=2e-3)
        constant, _, _, curvature = fitted
        centre = -fitted[1:3] / (2 * curvature)
        base = constant - curvature * (centre**2).sum()
        alpha, peak = np.sqrt(base / curvature), base**-3
        assert stars.WIDTH[0] * 0.98 < alpha < stars.WIDTH[1] * 1.02
        assert stars.PEAK[0] * 0.95 < peak < stars.PEAK[1] * 1.05


def test_colours_lie_on_one_line_from_red_to_blue():
    flux = linear(draw(count=300)).mean((2, 3)).log()
    red, green, blue = flux.unbind(1)
    torch.testing.assert_close((red + blue) / 2, green, atol=1e-3, rtol=0)
    temperature = (red - blue) / 2
    assert temperature.mean().abs() < 0.1
    assert temperature.std().item() == pytest.approx(stars.COLOUR, rel=0.15)


def test_half_of_them_touch_the_galaxy():
    light = draw(count=2000, side=32, radius=0.2)
    brightest = light.mean(1).flatten(1).argmax(1)
    at = torch.linspace(-1, 1, 32)
    distance = torch.hypot(at[brightest % 32], at[brightest // 32])
    near = (distance < 1.5 * 0.2 + 0.05).float().mean()
    anywhere = (1.5 * 0.2) ** 2
    assert near.item() == pytest.approx(stars.NEAR_SHARE + (1 - stars.NEAR_SHARE) * anywhere, abs=0.06)
    assert distance.max() > 0.9


def test_one_channel_has_no_colour_to_fail_on():
    assert draw(count=3, channels=1).shape == (3, 1, 24, 24)


def test_stars_depend_on_the_generator_alone():
    assert torch.equal(draw(seed=3), draw(seed=3))
    assert not torch.equal(draw(seed=3), draw(seed=4))
