"""Dust, point spread and noise: each against the distribution that it states."""

import math

import pytest
import torch
from scipy import stats

from mergerscope.learn.conditions import (
    EBV,
    EXTINCTION,
    NOISE,
    PIXEL_ARCSEC,
    POINT_SPREAD,
    Lognormal,
    add_noise,
    added,
    blur,
    extinction,
    fit_of,
    transmission,
)

LIKE = torch.zeros(1)
DRAWN = 40_000


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def follows(values, fit):
    """Kolmogorov and Smirnov's distance from scipy's distribution of the same parameters, which is what was fitted."""
    return stats.kstest(values.numpy(), stats.lognorm(fit.shape, fit.loc, fit.scale).cdf).statistic


@pytest.mark.parametrize("fit", [EBV, *POINT_SPREAD.values(), *NOISE.values()])
def test_what_is_drawn_follows_the_published_fit(fit):
    values = fit.draw(DRAWN, LIKE, seeded())
    assert follows(values, fit) < 0.01
    assert values.median().item() == pytest.approx(fit.median, rel=0.02)


def test_the_fits_are_of_the_legacy_surveys():
    """Medians of E(B-V), seeing and depth as the survey itself tells them, roughly (Dey et al. 2019)."""
    assert EBV.median == pytest.approx(0.03, abs=0.01)
    fwhm = {band: 2.3548 * PIXEL_ARCSEC * fit.median for band, fit in POINT_SPREAD.items()}
    assert fwhm == pytest.approx({"g": 1.48, "r": 1.33, "z": 1.24}, abs=0.01)
    assert NOISE["g"].median < NOISE["r"].median < NOISE["z"].median


def test_negative_values_do_not_come_out():
    assert Lognormal(0.1, -2.0, 1.0).draw(100, LIKE, seeded()).max() == 0


class TestDust:
    def test_a_magnitude_of_extinction_dims_by_the_published_factor(self):
        ebv = torch.tensor([0.0, 0.1, 1 / 3.214])
        found = transmission(ebv, extinction("legacy", ("g", "r", "z")))[:, :, 0, 0]
        assert found[0].tolist() == [1, 1, 1]
        assert found[2, 0].item() == pytest.approx(10**-0.4)
        for column, exponent in enumerate((1.2856, 0.866, 0.4844)):  # as Stein et al. write it
            assert found[1, column].item() == pytest.approx(10 ** (-0.1 * exponent), rel=1e-4)

    def test_redder_bands_lose_less_and_each_survey_has_its_filters(self):
        for table in EXTINCTION.values():
            order = [table[band] for band in "ugriz"]
            assert order == sorted(order, reverse=True)
        assert extinction("sdss", ("g", "r", "i")) == (3.303, 2.285, 1.698)
        assert extinction("lupton", ("g", "r", "F814W")) is None


@pytest.mark.parametrize("fits", [POINT_SPREAD, NOISE])
def test_a_view_gets_the_difference_of_two_draws(fits):
    sigma = added(fits, ("z", "g"), DRAWN, LIKE, seeded())
    assert sigma.shape == (DRAWN, 2)
    # As often as not the new conditions are better, and nothing is added.
    assert (sigma == 0).float().mean().item() == pytest.approx(0.5, abs=0.01)
    for column, band in enumerate(("z", "g")):
        fit = fits[band]
        published = stats.lognorm(fit.shape, fit.loc, fit.scale)
        old, new = (published.rvs(DRAWN, random_state=seed) for seed in (1, 2))
        wanted = (new**2 - old**2).clip(0) ** 0.5
        assert stats.ks_2samp(sigma[:, column].numpy(), wanted).statistic < 0.02


def test_bands_without_a_fit_have_that_of_a_neighbour():
    assert fit_of(NOISE, "i") is NOISE["r"]
    assert fit_of(NOISE, "y") is NOISE["z"]
    assert fit_of(NOISE, "F814W") is NOISE["r"]


class TestBlur:
    @pytest.mark.parametrize("sigma", [0.8, 1.5, 3.0])
    def test_a_point_becomes_a_gaussian_of_that_width(self, sigma):
        light = torch.zeros(1, 2, 41, 41)
        light[:, :, 20, 20] = 1
        seen = blur(light, torch.tensor([[sigma, 0.0]]))
        torch.testing.assert_close(seen[:, 1], light[:, 1])
        at = torch.arange(41) - 20.0
        wanted = torch.exp(-(at[:, None] ** 2 + at[None, :] ** 2) / (2 * sigma**2)) / (2 * math.pi * sigma**2)
        torch.testing.assert_close(seen[0, 0], wanted, atol=2e-3, rtol=0)
        assert seen[0, 0].sum().item() == pytest.approx(1, abs=1e-4)
        assert (seen[0, 0] * at**2).sum().item() == pytest.approx(sigma**2, rel=0.01)

    def test_widths_add_in_quadrature_and_a_flat_sky_stays_flat(self):
        light = torch.zeros(1, 1, 61, 61)
        light[:, :, 30, 30] = 1
        twice = blur(blur(light, torch.tensor([[1.5]])), torch.tensor([[2.0]]))
        torch.testing.assert_close(twice, blur(light, torch.tensor([[2.5]])), atol=1e-5, rtol=0)
        flat = torch.full((1, 1, 8, 9), 0.3)
        torch.testing.assert_close(blur(flat, torch.tensor([[4.0]])), flat)


def test_noise_has_the_standard_deviation_that_is_asked_for():
    sigma = torch.tensor([[0.004, 0.02], [0.0, 1.0]])
    found = add_noise(torch.full((2, 2, 200, 200), 5.0), sigma, seeded()) - 5
    torch.testing.assert_close(found.std((2, 3)), sigma, rtol=0.02, atol=0)
    assert stats.kstest(found[1, 1].flatten().numpy(), stats.norm.cdf).statistic < 0.01
    assert abs(torch.corrcoef(found[:1].reshape(2, -1))[0, 1]) < 0.02
