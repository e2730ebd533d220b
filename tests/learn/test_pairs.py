"""Synthetic mergers and impostors, measured on galaxies whose size, place and light are known."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.learn import canvas, compose, pairs, views
from mergerscope.learn.compose import isolate, isophotal_radius
from mergerscope.learn.pairs import make_pairs, make_singles
from mergerscope.params import PairsParams, ViewsParams

STILL = ViewsParams(strength=0)
SIDE = 96
SIGMA = 0.08
RADIUS = SIGMA * math.sqrt(2 * math.log(1 / compose.ISOPHOTE))
"""Isophotal, of a Gaussian of that sigma, in half fields."""


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(count=5, side=24, seed=0):
    return torch.rand(count, 3, side, side, generator=seeded(seed))


def peaks(image):
    """Column, row (half fields) and height of the local maxima of one image (C, H, W), highest first."""
    light = image.mean(0)
    around = torch.nn.functional.max_pool2d(light[None, None], 3, 1, 1)[0, 0]
    rows, columns = torch.nonzero((light == around) & (light > 0.05), as_tuple=True)
    side = light.shape[0]
    found = [((2 * c + 1) / side - 1, (2 * r + 1) / side - 1, light[r, c].item())
             for r, c in zip(rows.tolist(), columns.tolist(), strict=True)]  # fmt: skip
    return sorted(found, key=lambda peak: -peak[2])


@pytest.fixture
def plain(monkeypatch):
    """No stars and no change of colour."""
    monkeypatch.setattr(pairs, "STAR_SHARE", 0)
    monkeypatch.setattr(pairs, "COLOUR_SHARE", 0)


def fixed(separation, size=1.0, flux=1.0):
    return PairsParams(separation=(separation,) * 2, size_ratio=(size,) * 2, flux_ratio=(flux,) * 2)


@pytest.mark.usefixtures("plain")
class TestPairs:
    @pytest.mark.parametrize("separation", [0.8, 1.1, 2.0])
    def test_two_compact_galaxies_make_two_peaks_at_the_separation_asked_for(self, draw_blobs, separation):
        x = draw_blobs(8, SIDE, SIGMA)
        directions = set()
        for image in make_pairs(x, fixed(separation), STILL, seeded()):
            one, two = peaks(image)
            assert one[2] == pytest.approx(0.8, abs=0.05)
            assert two[2] == pytest.approx(0.8, abs=0.05)
            distance = math.hypot(one[0] - two[0], one[1] - two[1])
            assert distance == pytest.approx(separation * 2 * RADIUS, abs=1.5 * 2 / SIDE)
            far = max(one, two, key=lambda peak: math.hypot(*peak[:2]))
            directions.add(round(math.atan2(far[1], far[0])))
        assert len(directions) >= 4

    def test_the_second_is_as_bright_and_as_large_as_asked_for(self, draw_blobs):
        x = draw_blobs(4, SIDE, SIGMA)
        for image in make_pairs(x, fixed(3.0, size=0.5, flux=0.5), STILL, seeded()):
            one, two = peaks(image)
            assert two[2] / one[2] == pytest.approx(0.5, rel=0.1)
            assert math.hypot(*two[:2]) == pytest.approx(3.0 * 1.5 * RADIUS, abs=1.5 * 2 / SIDE)
            light = image.sum() / x[0].sum()
            assert light.item() == pytest.approx(1 + 0.5 * 0.5**2, rel=0.03)

    def test_the_second_is_always_in_the_picture(self, draw_blobs):
        for image in make_pairs(draw_blobs(4, SIDE, SIGMA), fixed(50.0), STILL, seeded()):
            far = max(math.hypot(x, y) for x, y, _ in peaks(image))
            assert far == pytest.approx(pairs.FARTHEST, abs=1.5 * 2 / SIDE)

    def test_it_is_another_galaxy_or_the_first_ones_twin(self, draw_blobs, monkeypatch):
        red, blue = (draw_blobs(1, SIDE, SIGMA, colour=c) for c in ((0.9, 0.3, 0.3), (0.3, 0.3, 0.9)))
        x = torch.cat([red, blue])

        def reddest_and_bluest(share):
            monkeypatch.setattr(pairs, "TWIN_SHARE", share)
            image = make_pairs(x, fixed(3.0), STILL, seeded())[0]
            return (image[0] - image[2]).max().item(), (image[2] - image[0]).max().item()

        assert min(reddest_and_bluest(0)) > 0.3
        assert reddest_and_bluest(1)[1] < 0.05

    def test_it_may_take_the_first_ones_colour(self, draw_blobs, monkeypatch):
        monkeypatch.setattr(pairs, "COLOUR_SHARE", 1)
        monkeypatch.setattr(pairs, "TWIN_SHARE", 0)
        x = torch.cat([draw_blobs(1, SIDE, SIGMA, colour=c) for c in ((0.9, 0.5, 0.5), (0.5, 0.5, 0.9))])
        image = make_pairs(x, fixed(3.0), STILL, seeded())[0]
        assert (image[2] - image[0]).max() < 0.05

    def test_without_a_star_a_twin_of_the_same_place_only_adds_light(self, draw_blobs):
        x = draw_blobs(3, SIDE, SIGMA)
        torch.testing.assert_close(
            make_pairs(x, fixed(1e-6), STILL, seeded()), 1 - (1 - x) * (1 - isolate(x)), atol=1e-3, rtol=0
        )

    def test_the_second_follows_the_first_to_where_its_view_has_put_it(self, draw_blobs, monkeypatch):
        monkeypatch.setattr(canvas, "photometric", lambda images, strength, generator: images)
        monkeypatch.setattr(views, "SHIFT", 0.15)
        monkeypatch.setattr(views, "ZOOM_OUT", 1.0)
        settings = ViewsParams(strength=1, min_field=1.0)
        for image in make_pairs(draw_blobs(8, SIDE, SIGMA), fixed(1.5), settings, seeded(2)):
            one, *others = peaks(image)
            distance = max(math.hypot(one[0] - other[0], one[1] - other[1]) for other in others)
            assert distance == pytest.approx(3 * RADIUS, abs=2 * 2 / SIDE)

    def test_light_beyond_white_saturates_even_without_strength(self, draw_blobs):
        image = make_pairs(draw_blobs(2, SIDE, SIGMA, peak=1.0), fixed(0.5, flux=1.3), STILL, seeded())
        assert image.max() == 1


@pytest.mark.usefixtures("plain")
class TestSingles:
    def test_alone_it_is_the_image_itself(self, monkeypatch):
        monkeypatch.setattr(pairs, "NEIGHBOUR_SHARE", 0)
        x = pictures()
        torch.testing.assert_close(make_singles(x, STILL, seeded()), x, atol=1e-5, rtol=0)

    def test_a_neighbour_does_not_touch(self, draw_blobs, monkeypatch):
        monkeypatch.setattr(pairs, "NEIGHBOUR_SHARE", 1)
        for image in make_singles(draw_blobs(20, SIDE, SIGMA), STILL, seeded()):
            far = max(peaks(image), key=lambda peak: math.hypot(*peak[:2]))
            least = pairs.NEIGHBOUR_SEPARATION[0] * (1 + pairs.NEIGHBOUR_SIZE[0]) * RADIUS
            assert math.hypot(*far[:2]) > least - 2 / SIDE

    def test_beside_a_galaxy_that_fills_the_field_there_is_no_room_for_a_neighbour(self, draw_blobs, monkeypatch):
        monkeypatch.setattr(pairs, "NEIGHBOUR_SHARE", 1)
        x = draw_blobs(20, SIDE, 0.45)
        assert pairs.NEIGHBOUR_SEPARATION[0] * isophotal_radius(isolate(x)).min() > pairs.FARTHEST
        torch.testing.assert_close(make_singles(x, STILL, seeded()), x, atol=1e-5, rtol=0)

    def test_the_share_of_neighbours(self, draw_blobs):
        x = draw_blobs(1000, 16, 0.1)
        changed = (make_singles(x, STILL, seeded()) - x).abs().amax((1, 2, 3)) > 1e-3
        assert changed.float().mean().item() == pytest.approx(pairs.NEIGHBOUR_SHARE, abs=0.05)

    def test_one_galaxy_has_no_neighbour_to_take(self, monkeypatch):
        monkeypatch.setattr(pairs, "NEIGHBOUR_SHARE", 1)
        x = pictures(1)
        torch.testing.assert_close(make_singles(x, STILL, seeded()), x, atol=1e-5, rtol=0)


def make(kind, x, views, generator):
    return make_pairs(x, PairsParams(), views, generator) if kind == "pairs" else make_singles(x, views, generator)


@pytest.mark.parametrize("kind", ["pairs", "singles"])
class TestBoth:
    def test_stars_fall_on_pairs_and_singles_alike(self, kind, draw_blobs, monkeypatch):
        monkeypatch.setattr(pairs, "NEIGHBOUR_SHARE", 0)
        monkeypatch.setattr(canvas, "draw_stars", lambda images, radius, generator: torch.ones_like(images))
        x = draw_blobs(1000, 16, 0.1, peak=0.5)
        starry = (make(kind, x, STILL, seeded()) > 0.99).flatten(1).all(1)
        assert starry.float().mean().item() == pytest.approx(pairs.STAR_SHARE, abs=0.05)

    @given(seed=st.integers(0, 10_000), strength=st.floats(0, 1), count=st.integers(1, 5))
    def test_pictures_of_the_same_shape(self, kind, seed, strength, count):
        x = pictures(count, 20, seed)
        before = x.clone()
        found = make(kind, x, ViewsParams(strength=strength), seeded(seed))
        assert found.shape == x.shape
        assert 0 <= found.min() <= found.max() <= 1
        assert torch.equal(x, before)

    def test_they_depend_on_the_generator_alone(self, kind):
        x = pictures()
        first = make(kind, x, ViewsParams(), seeded(1))
        torch.manual_seed(9)
        assert torch.equal(make(kind, x, ViewsParams(), seeded(1)), first)
        assert not torch.equal(make(kind, x, ViewsParams(), seeded(2)), first)

    def test_black_pictures_stay_finite(self, kind):
        assert torch.isfinite(make(kind, torch.zeros(4, 3, 16, 16), ViewsParams(), seeded())).all()
