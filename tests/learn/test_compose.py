"""One galaxy's light alone, its size and its colour, measured on galaxies that are known."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.learn import compose
from mergerscope.learn.compose import add_light, isolate, isophotal_radius, match_colour

SIDE = 96


class TestAddingLight:
    values = st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4)

    @given(a=values, b=values)
    def test_it_commutes_and_stays_on_the_display(self, a, b):
        first, second = torch.tensor(a), torch.tensor(b)
        both = add_light(first.clone(), second)
        torch.testing.assert_close(both, add_light(second.clone(), first))
        assert 0 <= both.min() <= both.max() <= 1 + 1e-6
        assert (both >= torch.maximum(first, second) - 1e-6).all()

    @given(a=values)
    def test_darkness_adds_nothing_and_white_stays_white(self, a):
        light = torch.tensor(a)
        assert torch.equal(add_light(light.clone(), torch.zeros(4)), light)
        assert torch.equal(add_light(light.clone(), torch.ones(4)), torch.ones(4))

    def test_faint_light_adds_up(self):
        faint = torch.full((3,), 1e-3)
        torch.testing.assert_close(add_light(faint.clone(), faint), 2 * faint, rtol=1e-3, atol=0)


class TestIsolating:
    def test_sky_and_neighbours_go_and_the_galaxy_stays(self, draw_blobs):
        galaxy = draw_blobs(1, SIDE, sigma=0.12, peak=0.7)
        corner = draw_blobs(1, SIDE, sigma=0.05, x=0.85, y=-0.8, peak=0.6)
        alone = isolate(galaxy + corner + 0.1)
        torch.testing.assert_close(alone, galaxy, atol=0.02, rtol=0)
        assert alone[..., 0, :].max() == alone[..., -1, :].max() == alone[..., 0].max() == alone[..., -1].max() == 0

    def test_each_channel_has_its_own_sky(self):
        sky = torch.tensor([0.1, 0.2, 0.3])[None, :, None, None].expand(1, 3, 32, 32)
        assert isolate(sky).abs().max() < 1e-6

    def test_the_fade_begins_well_outside_the_middle(self):
        light = torch.zeros(1, 3, 64, 64)
        light[..., 8:-8, 8:-8] = 0.5
        alone = isolate(light)[0, 0]
        assert (alone[24:40, 24:40] == 0.5).all()
        assert 0.5 > alone[32, 9] > alone[20, 9] > alone[9, 9] == 0

    def test_its_argument_is_left_alone(self):
        x = torch.rand(5, 3, 24, 24, generator=torch.Generator().manual_seed(0))
        before = x.clone()
        isolate(x)
        assert torch.equal(x, before)


class TestRadius:
    @pytest.mark.parametrize("radius", [0.1, 0.25, 0.4, 0.6])
    def test_of_a_disc(self, radius):
        at = (2 * torch.arange(SIDE) + 1) / SIDE - 1
        disc = (torch.hypot(at[None, :], at[:, None]) < radius).float().expand(1, 3, SIDE, SIDE)
        assert isophotal_radius(0.3 * disc).item() == pytest.approx(radius, rel=0.04)

    @pytest.mark.parametrize("sigma", [0.08, 0.15, 0.3])
    def test_of_a_gaussian_whatever_its_brightness(self, draw_blobs, sigma):
        expected = sigma * math.sqrt(2 * math.log(1 / compose.ISOPHOTE))
        for peak in (0.1, 0.9):
            assert isophotal_radius(draw_blobs(1, SIDE, sigma, peak=peak)).item() == pytest.approx(expected, rel=0.03)

    def test_it_is_bounded(self):
        point = torch.zeros(1, 3, SIDE, SIDE)
        point[..., 48, 48] = 1
        field = torch.ones(1, 3, SIDE, SIDE)
        empty = torch.zeros(1, 3, SIDE, SIDE)
        assert isophotal_radius(torch.cat([point, field, empty])).tolist() == pytest.approx([0.05, 0.7, 0.05])


class TestColour:
    def test_the_chosen_take_the_colour_and_keep_their_brightness(self, draw_blobs):
        red = draw_blobs(2, 32, 0.2, colour=(0.9, 0.5, 0.4))
        blue = draw_blobs(2, 32, 0.3, colour=(0.3, 0.5, 0.6), peak=0.4)
        found = match_colour(red, blue, torch.tensor([True, False]))
        assert torch.equal(found[1], red[1])
        mean, theirs = found[0].mean((1, 2)), blue[0].mean((1, 2))
        torch.testing.assert_close(mean / mean.mean(), theirs / theirs.mean())
        assert mean.mean().item() == pytest.approx(red[0].mean().item(), rel=1e-5)

    def test_a_black_channel_is_not_blown_up(self, draw_blobs):
        black = draw_blobs(1, 32, 0.2, colour=(0.0, 0.5, 0.5))
        found = match_colour(black, draw_blobs(1, 32, 0.2), torch.tensor([True]))
        assert torch.isfinite(found).all()
        assert found.max() <= 3 * black.max()
