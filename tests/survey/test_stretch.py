"""The asinh stretch: linear when faint, logarithmic when bright, the same colour at any brightness."""

import numpy as np
import pytest

from mergerscope.survey.stretch import STRETCHES, Stretch, lupton_rgb

PLAIN = Stretch(("i", "r", "g"), (1.0, 1.0, 1.0), 8.0)


def grey(value):
    return np.full((3, 2, 2), value, np.float32)


def test_it_follows_the_published_formula():
    for value in (0.003, 0.05, 0.4, 2.0):
        assert lupton_rgb(grey(value), PLAIN)[0, 0, 0] == round(255 * min(np.arcsinh(8 * value) / 8, 1))


def test_faint_light_is_linear_and_the_order_is_kept():
    shown = [int(lupton_rgb(grey(value), PLAIN)[0, 0, 0]) for value in (0.01, 0.02, 0.04, 0.5, 5, 50)]
    assert shown[1] == pytest.approx(2 * shown[0], abs=1)
    assert shown == sorted(shown)


def test_colour_does_not_depend_on_brightness():
    colour = np.array([0.9, 0.6, 0.3], np.float32)[:, None, None]
    for level in (0.3, 1.0, 10.0, 1000.0):
        pixel = lupton_rgb(level * colour * np.ones((3, 1, 1)), PLAIN)[0, 0].astype(float)
        assert pixel / pixel.max() == pytest.approx([1, 2 / 3, 1 / 3], abs=0.02)


def test_cores_turn_white_where_colour_is_not_kept():
    bright = 1e4 * np.array([0.9, 0.6, 0.3])[:, None, None] * np.ones((3, 1, 1))
    cut = lupton_rgb(bright, Stretch(("i", "r", "g"), (1, 1, 1), 8.0, keep_colour=False))
    assert cut.min() > 150
    assert lupton_rgb(bright, PLAIN).min() < 100


def test_channels_follow_the_stretch_and_missing_pixels_are_sky():
    flux = np.zeros((3, 1, 2), np.float32)
    flux[0] = 0.5
    flux[:, 0, 1] = np.nan
    shown = lupton_rgb(flux, PLAIN)
    assert shown.shape == (1, 2, 3)
    assert shown.dtype == np.uint8
    assert shown[0, 0, 0] > shown[0, 0, 1] == 0
    assert shown[0, 1].max() == 0


def test_a_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"\(2, 4, 4\)"):
        lupton_rgb(np.zeros((2, 4, 4), np.float32), PLAIN)


def test_every_survey_shows_old_stars_red_and_the_sky_dark():
    for stretch in STRETCHES.values():
        assert lupton_rgb(np.zeros((3, 2, 2), np.float32), stretch).max() < 40
        assert len(set(stretch.bands)) == 3
