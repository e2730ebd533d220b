"""Views of flux: light adds up linearly, dust is taken off and put on, and the stretch comes last."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.learn import pairs
from mergerscope.learn.compose import isophotal_radius, match_colour
from mergerscope.learn.conditions import EBV, NOISE, extinction, fit_of, transmission
from mergerscope.learn.flux_canvas import Flux, sky_noise
from mergerscope.learn.module import make_view
from mergerscope.params import PairsParams, Params, ViewsParams, parse_params
from mergerscope.survey.stretch import FluxStretch

SIDE = 48
BANDS = ("g", "r", "z")
STRETCH = FluxStretch("legacy", BANDS)
STILL = ViewsParams(strength=0.0)
MEDIAN = torch.tensor([fit_of(NOISE, band).median for band in STRETCH.shown])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def galaxies(count=4, noise=0.003, side=SIDE, seed=0):
    """(count, 3, side, side) of flux in g, r, z: a red exponential galaxy on a sky of noise."""
    at = (2 * torch.arange(side) + 1) / side - 1
    light = torch.exp(-torch.hypot(at[:, None], at[None, :]) / 0.1)
    flux = light * torch.tensor([0.1, 0.2, 0.3])[:, None, None]
    return flux.repeat(count, 1, 1, 1) + noise * torch.randn(count, 3, side, side, generator=seeded(seed))


def canvas(stretch=STRETCH, ebv_of=None):
    return Flux(stretch, MEDIAN, 0.262, ebv_of)


class TestBegin:
    def test_without_strength_the_light_is_what_the_shards_hold_red_first(self):
        flux = galaxies()
        light, on = canvas(ebv_of=lambda ids: torch.ones(4)).begin(flux, list("abcd"), 0.0, seeded())
        assert torch.equal(light, flux.flip(1))
        assert torch.equal(on.finish(light, 0.0, seeded()), STRETCH(flux))

    def test_known_dust_is_taken_off_and_unknown_dust_is_drawn(self):
        flux = galaxies(2000, side=4)
        known = torch.full((2000,), float("nan"))
        known[:2] = torch.tensor([0.0, 0.5])
        light, on = canvas(ebv_of=lambda ids: known).begin(flux, [""] * 2000, 1.0, seeded())
        assert torch.equal(on.ebv[:2], known[:2])
        assert on.ebv[2:].median().item() == pytest.approx(EBV.median, rel=0.1)
        torch.testing.assert_close(light[0], flux[0].flip(0))
        lost = transmission(torch.tensor([0.5]), extinction("legacy", STRETCH.shown))[0]
        torch.testing.assert_close(light[1] * lost, flux[1].flip(0))

    def test_a_canvas_is_split_with_its_galaxies(self):
        _, on = canvas().begin(galaxies(7, side=4), [""] * 7, 1.0, seeded())
        parts = on.split(7, 3)
        assert [len(part.ebv) for part in parts] == [3, 3, 1]
        assert torch.equal(torch.cat([part.ebv for part in parts]), on.ebv)
        assert len(canvas().split(7, 3)) == 3


class TestFinish:
    @pytest.fixture
    def bare(self, monkeypatch):
        """The stretch left out, so that what the conditions do can be measured."""
        monkeypatch.setattr(FluxStretch, "bend", lambda self, light: light)

    def test_new_dust_follows_the_published_distribution(self, bare, monkeypatch):
        monkeypatch.setattr("mergerscope.learn.flux_canvas.add_noise", lambda light, *rest: light)
        light, on = canvas(ebv_of=lambda ids: torch.zeros(20_000)).begin(
            torch.ones(20_000, 3, 1, 1), [""] * 20_000, 1.0, seeded()
        )
        seen = on.finish(light, 1.0, seeded(1))[:, :, 0, 0]
        for channel, coefficient in enumerate(extinction("legacy", STRETCH.shown)):
            ebv = -2.5 * seen[:, channel].log10() / coefficient
            assert ebv.median().item() == pytest.approx(EBV.median, rel=0.02)
            wanted = EBV.draw(20_000, ebv, seeded(2))
            torch.testing.assert_close(
                ebv.quantile(torch.tensor([0.1, 0.9])), wanted.quantile(torch.tensor([0.1, 0.9])), rtol=0.05, atol=0
            )

    @pytest.mark.parametrize("strength", [0.3, 1.0])
    def test_the_strength_scales_dust_and_noise(self, bare, strength):
        first, on = canvas(ebv_of=lambda ids: torch.full((3000,), 0.2)).begin(
            torch.zeros(3000, 3, 8, 8), [""] * 3000, strength, seeded()
        )
        noise = on.finish(first, strength, seeded(1)).std((2, 3))
        _, full = canvas(ebv_of=lambda ids: torch.full((3000,), 0.2)).begin(
            torch.zeros(3000, 3, 8, 8), [""] * 3000, 1.0, seeded()
        )
        whole = full.finish(first, 1.0, seeded(1)).std((2, 3))
        torch.testing.assert_close(noise, strength * whole, rtol=1e-3, atol=1e-7)

    def test_noise_is_what_was_published_where_the_survey_has_that_noise(self, bare):
        light, on = canvas().begin(torch.zeros(4000, 3, 8, 8), [""] * 4000, 1.0, seeded())
        found = on.finish(light, 1.0, seeded(1)).std((2, 3))
        for channel, band in enumerate(STRETCH.shown):
            fit = fit_of(NOISE, band)
            old, new = (fit.draw(4000, light, seeded(seed)) for seed in (5, 6))
            wanted = (new**2 - old**2).clamp_min(0).sqrt()
            assert found[:, channel].mean().item() == pytest.approx(wanted.mean().item(), rel=0.08)

    def test_a_noisier_survey_gets_more_noise_and_wider_pixels_less_blur(self, bare):
        flux = torch.zeros(500, 3, 21, 21)
        flux[:, :, 10, 10] = 1

        def seen(noise, pixel):
            return Flux(STRETCH, noise, pixel).finish(flux, 1.0, seeded(1))

        torch.testing.assert_close(seen(7 * MEDIAN, 0.262).sub(seen(0 * MEDIAN, 0.262)),
                                   7 * seen(MEDIAN, 0.262).sub(seen(0 * MEDIAN, 0.262)), rtol=1e-3, atol=1e-5)
        sharp, soft = (seen(0 * MEDIAN, pixel)[:, :, 10, 10].mean().item() for pixel in (0.524, 0.262))
        assert sharp > soft


class TestCompose:
    def test_light_adds_up_linearly(self):
        first, second = galaxies(seed=1), galaxies(seed=2)
        assert torch.equal(canvas().add(first.clone(), second), first + second)

    def test_a_galaxy_stands_alone_without_sky_and_noise(self):
        clean, noisy = galaxies(noise=0.0), galaxies() + 0.01
        alone = canvas().isolate(noisy)
        middle = slice(SIDE // 2 - 4, SIDE // 2 + 4)
        torch.testing.assert_close(
            alone[:, :, middle, middle], clean[:, :, middle, middle], atol=0.012, rtol=0.05
        )
        assert alone[:, :, :1].max() < 1e-4
        ring = alone[:, :, 6:9, 12:36]
        assert ring.std() < 0.2 * 0.003

    def test_a_radius_is_measured_as_the_galaxy_is_shown(self):
        on = canvas()
        alone = on.isolate(galaxies(noise=0.0))
        assert (on.radius(alone) > 1.3 * isophotal_radius(alone)).all()
        black = on.radius(torch.zeros(2, 3, SIDE, SIDE))
        assert torch.isfinite(black).all()

    def test_two_galaxies_have_the_flux_of_both(self, monkeypatch):
        monkeypatch.setattr(pairs, "STAR_SHARE", 0)
        monkeypatch.setattr(pairs, "TWIN_SHARE", 1)
        monkeypatch.setattr(FluxStretch, "bend", lambda self, light: light)
        flux = galaxies(noise=0.0).flip(1)
        settings = PairsParams(separation=(1.0, 1.0), size_ratio=(1.0, 1.0), flux_ratio=(0.5, 0.5))
        on = canvas()
        monkeypatch.setattr(Flux, "radius", lambda self, isolated: torch.full((len(isolated),), 0.1))
        both = pairs.make_pairs(flux, settings, STILL, seeded(), None, on)
        added = both.sum((2, 3)) - flux.sum((2, 3))
        torch.testing.assert_close(added, 0.5 * on.isolate(flux).sum((2, 3)), rtol=0.03, atol=0)

    def test_stars_are_as_bright_as_the_stretch_is_deep(self):
        light = galaxies(200).flip(1)
        radius = torch.full((200,), 0.1)
        stars = canvas().stars(light, radius, seeded())
        peaks = STRETCH(stars.flip(1)).amax((1, 2, 3))
        assert peaks.max() > 0.9
        assert peaks.min() < 0.6
        linear = canvas(FluxStretch("linear", BANDS)).stars(light, radius, seeded())
        assert (linear.amax((1, 2, 3)) <= light.amax((1, 2, 3)) - light.amin((1, 2, 3))).all()


@pytest.mark.parametrize("kind", ["legacy", "lupton", "linear"])
@given(seed=st.integers(0, 10_000), strength=st.floats(0, 1), count=st.integers(1, 5))
def test_every_view_is_in_0_to_1_and_leaves_the_flux_alone(kind, seed, strength, count):
    stretch = FluxStretch(kind, BANDS, 8.0, (5.0, 5.0, 5.0) if kind == "lupton" else ())
    params = parse_params({"views": {"strength": strength}})
    flux = galaxies(count, side=20, seed=seed)
    before = flux.clone()
    light, on = canvas(stretch).begin(flux, [""] * count, strength, seeded(seed))
    for name in ("pair", "single", "view"):
        found = make_view(name, light, params, seeded(seed), None, on)
        assert found.shape == flux.shape
        assert torch.isfinite(found).all()
        assert 0 <= found.min() <= found.max() <= 1
    assert torch.equal(flux, before)


def test_empty_images_stay_finite():
    light, on = canvas().begin(torch.zeros(3, 3, 16, 16), list("abc"), 1.0, seeded())
    for name in ("pair", "single", "view"):
        assert torch.isfinite(make_view(name, light, Params(), seeded(), None, on)).all()


@pytest.mark.parametrize("unit", [1e-16, 1e-3, 1e8])
def test_pairs_do_not_ask_for_the_unit_of_the_flux(unit):
    """Views of images in other units are the same, where each image is stretched by its own range."""
    bank = torch.rand(2, 2, SIDE, SIDE, generator=seeded(4))
    settings = PairsParams(encounters=0.5)

    def seen(factor):
        on = Flux(FluxStretch("linear", BANDS), factor * MEDIAN, 0.262)
        flux = torch.cat([galaxies(3), galaxies(3).roll(1, 1)])
        light, on = on.begin(factor * flux, [""] * 6, 0.0, seeded())
        return pairs.make_pairs(light, settings, STILL, seeded(1), bank, on)

    torch.testing.assert_close(seen(unit), seen(1.0), atol=1e-3, rtol=0)


def test_a_faint_partner_takes_the_colour_as_a_bright_one_does():
    blue, red = galaxies(2, noise=0.0).flip(1), galaxies(2, noise=0.0)
    for faintness in (1.0, 1e-4):
        matched = match_colour(faintness * blue, faintness * red, torch.tensor([True, True]), canvas().black)
        mine, theirs = (x.sum((2, 3)) / x.sum((1, 2, 3))[:, None] for x in (matched, red))
        torch.testing.assert_close(mine, theirs)


def test_a_rim_without_noise_leaves_views_finite():
    flux = torch.zeros(3, 3, SIDE, SIDE)
    flux[:, :, 20:28, 20:28] = 1e9
    light, on = canvas().begin(flux, list("abc"), 1.0, seeded())
    for name in ("pair", "single", "view"):
        assert torch.isfinite(make_view(name, light, Params(), seeded(), None, on)).all()


def test_the_noise_of_the_sky_is_measured_beside_the_galaxies():
    flux = galaxies(50) + torch.rand(50, 1, 1, 1, generator=seeded(3))
    torch.testing.assert_close(sky_noise(flux), torch.full((3,), 0.003), rtol=0.1, atol=0)
    flux[:30, 0] = 0  # a band that most galaxies lack
    flux[:, 1] = 0
    torch.testing.assert_close(sky_noise(flux), torch.tensor([0.003, 0, 0.003]), rtol=0.15, atol=0)
