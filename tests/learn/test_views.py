"""Views: where `place` puts what, and what may change the light.

Conventions (as in `mergerscope.learn.views`): rows run downwards, columns to the right; angles are clockwise
as displayed; lengths are half fields, so that a shift by one pixel of W is 2 / W. A galaxy is mirrored left to right
first, then turned, scaled and shifted.
"""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.learn import views
from mergerscope.learn.pairs import random_view
from mergerscope.learn.views import Placement, draw_placement, photometric, place
from mergerscope.params import ViewsParams


def placement(count=1, angle=0.0, mirror=1.0, scale=1.0, shift_x=0.0, shift_y=0.0):
    return Placement(*(torch.full((count,), float(value)) for value in (angle, mirror, scale, shift_x, shift_y)))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(count=4, side=17, seed=0):
    return torch.rand(count, 3, side, side, generator=seeded(seed))


def centroid(image):
    """Column and row of the centre of light, in pixels."""
    light = image.mean(0)
    h, w = light.shape
    return ((light.sum(0) * torch.arange(w)).sum() / light.sum()).item(), (
        (light.sum(1) * torch.arange(h)).sum() / light.sum()
    ).item()


class TestPlace:
    @pytest.mark.parametrize("side", [16, 17])
    def test_the_identity_reproduces_the_image(self, side):
        x = pictures(side=side)
        torch.testing.assert_close(place(x, placement(4)), x, atol=1e-5, rtol=0)

    @pytest.mark.parametrize("side", [16, 17])
    @pytest.mark.parametrize("quarters", [1, 2, 3, -1])
    def test_a_positive_angle_turns_clockwise(self, side, quarters):
        x = pictures(side=side)
        turned = place(x, placement(4, angle=quarters * math.pi / 2))
        torch.testing.assert_close(turned, torch.rot90(x, -quarters, (2, 3)), atol=1e-4, rtol=0)

    def test_the_mirror_swaps_left_and_right_and_is_an_involution(self):
        x = pictures()
        mirrored = place(x, placement(4, mirror=-1))
        torch.testing.assert_close(mirrored, x.flip(3), atol=1e-5, rtol=0)
        torch.testing.assert_close(place(mirrored, placement(4, mirror=-1)), x, atol=1e-5, rtol=0)

    @pytest.mark.parametrize(("right", "down"), [(3, 0), (-3, 0), (0, 5), (0, -5), (2, -4)])
    def test_a_shift_moves_right_and_down_by_whole_pixels(self, draw_blobs, right, down):
        x = draw_blobs(1, 40, sigma=0.1)
        before = centroid(x[0])
        moved = place(x, placement(shift_x=2 * right / 40, shift_y=2 * down / 40))
        after = centroid(moved[0])
        assert after[0] - before[0] == pytest.approx(right, abs=0.01)
        assert after[1] - before[1] == pytest.approx(down, abs=0.01)
        torch.testing.assert_close(moved, x.roll((down, right), (2, 3)), atol=1e-4, rtol=0)

    @pytest.mark.parametrize("scale", [0.5, 0.8, 1.25, 2.0])
    def test_the_scale_changes_area_by_its_square_and_not_brightness(self, draw_blobs, scale):
        x = draw_blobs(1, 256, sigma=0.12)
        scaled = place(x, placement(scale=scale))
        assert (scaled.sum() / x.sum()).item() == pytest.approx(scale**2, rel=0.02)
        area = [(image > 0.4).float().sum().item() for image in (x, scaled)]
        assert area[1] / area[0] == pytest.approx(scale**2, rel=0.06)
        assert scaled.max().item() == pytest.approx(x.max().item(), rel=0.02)
        torch.testing.assert_close(scaled, draw_blobs(1, 256, sigma=0.12 * scale), atol=0.02, rtol=0)

    def test_the_order_is_mirror_turn_scale_shift(self, draw_blobs):
        x = draw_blobs(1, 96, sigma=0.1, x=0.3, y=-0.1)
        angle, scale = 0.7, 1.3
        found = place(x, placement(angle=angle, mirror=-1, scale=scale, shift_x=0.2, shift_y=0.1))
        mirrored = (-0.3, -0.1)
        turned = (
            math.cos(angle) * mirrored[0] - math.sin(angle) * mirrored[1],
            math.cos(angle) * mirrored[1] + math.sin(angle) * mirrored[0],
        )
        expected = draw_blobs(1, 96, 0.13, scale * turned[0] + 0.2, scale * turned[1] + 0.1)
        torch.testing.assert_close(found, expected, atol=0.02, rtol=0)

    def test_sky_comes_in_from_beyond_the_edge(self):
        moved = place(torch.ones(1, 3, 16, 16), placement(shift_x=0.5))
        assert (moved[..., :4] == 0).all()
        assert (moved[..., 4:] == 1).all()

    def test_each_galaxy_has_its_own_placement(self):
        x = pictures(2)
        both = Placement(torch.tensor([0.0, 1.0]), torch.tensor([-1.0, 1.0]), torch.tensor([1.0, 0.9]),
                         torch.tensor([0.1, 0.0]), torch.tensor([0.0, 0.2]))  # fmt: skip
        torch.testing.assert_close(
            place(x, both),
            torch.cat([place(x[:1], placement(mirror=-1, shift_x=0.1)),
                       place(x[1:], placement(angle=1, scale=0.9, shift_y=0.2))]),
        )  # fmt: skip


class TestDrawing:
    @pytest.mark.parametrize("strength", [0.01, 0.5, 1.0])
    def test_ranges(self, strength):
        settings = ViewsParams(strength=strength, min_field=0.7)
        drawn = draw_placement(torch.zeros(4000, 3, 8, 8), settings, seeded())
        # turns and mirrors are complete at any strength
        assert drawn.angle.min() < -3.1
        assert drawn.angle.max() > 3.1
        assert drawn.mirror.mean().abs() < 0.1
        assert set(drawn.mirror.tolist()) == {-1.0, 1.0}
        field = 1 / drawn.scale
        low, high = 1 - 0.3 * strength, 1 + (views.ZOOM_OUT - 1) * strength
        assert low - 1e-6 <= field.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < field.max() <= high + 1e-6
        reach = 2 * views.SHIFT * strength
        for shift in (drawn.shift_x, drawn.shift_y):
            assert 0.98 * reach < shift.abs().max() <= reach + 1e-6
            assert shift.mean().abs() < 0.1 * reach

    def test_no_strength_no_change(self):
        x = pictures()
        settings = ViewsParams(strength=0)
        drawn = draw_placement(x, settings, seeded())
        assert drawn.angle.tolist() == drawn.shift_x.tolist() == drawn.shift_y.tolist() == [0.0] * 4
        assert drawn.mirror.tolist() == drawn.scale.tolist() == [1.0] * 4
        torch.testing.assert_close(random_view(x, settings, seeded()), x, atol=1e-5, rtol=0)

    def test_views_depend_on_the_generator_alone(self):
        x, settings = pictures(), ViewsParams(strength=1)
        torch.manual_seed(1)
        first = random_view(x, settings, seeded(5))
        torch.manual_seed(2)
        assert torch.equal(random_view(x, settings, seeded(5)), first)
        assert not torch.equal(random_view(x, settings, seeded(6)), first)

    @given(seed=st.integers(0, 10_000), strength=st.floats(0, 1), side=st.integers(4, 24))
    def test_views_are_pictures_of_the_same_shape(self, seed, strength, side):
        x = pictures(3, side, seed)
        before = x.clone()
        found = random_view(x, ViewsParams(strength=strength), seeded(seed))
        assert found.shape == x.shape
        assert found.dtype == torch.float32
        assert 0 <= found.min() <= found.max() <= 1
        assert torch.equal(x, before)


class TestLight:
    def test_more_strength_changes_more(self, draw_blobs):
        x = draw_blobs(200, 16, sigma=0.3, peak=0.5)
        change = [(photometric(x.clone(), s, seeded()) - x).abs().mean().item() for s in (0, 0.2, 0.5, 1)]
        assert change[0] == 0
        assert change == sorted(change)

    def test_brightness_and_colour_are_right_in_the_middle(self, draw_blobs):
        """Half of the galaxies get brighter, half fainter, and the channels less differently than the whole."""
        x = draw_blobs(2000, 16, sigma=0.4, peak=0.3)
        gain = (photometric(x.clone(), 1.0, seeded()).mean((2, 3)) / x.mean((2, 3))).log()
        assert gain.median().abs() < 0.05
        own = gain - gain.mean(1, keepdim=True)
        assert own.std() < 0.5 * gain.mean(1).std()

    def test_the_blur_at_full_amount_is_the_binomial_one(self):
        x = torch.zeros(1, 1, 11, 11)
        x[0, 0, 5, 5] = 1
        views._blur_(x, torch.ones(1, 1, 1, 1))
        row = torch.tensor([0, 0, 0, 1, 4, 6, 4, 1, 0, 0, 0]) / 16
        torch.testing.assert_close(x[0, 0], row[:, None] * row)

    @pytest.mark.parametrize("amount", [0.0, 0.3, 1.0])
    def test_the_blur_keeps_light_and_even_fields(self, draw_blobs, amount):
        x = torch.cat([draw_blobs(1, 32, sigma=0.1), torch.full((1, 3, 32, 32), 0.4)])
        blurred = x.clone()
        views._blur_(blurred, torch.full((2, 1, 1, 1), amount))
        assert blurred[0].sum().item() == pytest.approx(x[0].sum().item(), rel=1e-5)
        torch.testing.assert_close(blurred[1, :, 4:-4, 4:-4], x[1, :, 4:-4, 4:-4])

    def test_the_noise_is_white_and_differs_between_galaxies(self):
        x = torch.zeros(64, 3, 16, 16)
        noise = views._noise(x, seeded())
        assert noise.shape == x.shape
        assert noise.mean().abs() < 0.1
        assert noise.std().item() == pytest.approx(1, abs=0.05)
        beside = (noise[..., 1:] * noise[..., :-1]).mean()
        assert beside.abs() < 0.1
        assert len({tuple(one.flatten()[:5].tolist()) for one in noise}) > 60
