"""The telescope neither makes nor loses light, is as sharp as it says, and as noisy."""

import numpy as np
import pytest

from mergerscope.simulate.instrument import SURVEYS, draw_night, expose, sky_sigma
from mergerscope.simulate.light import add_gaussian
from mergerscope.simulate.psf import Psf, spread


@pytest.mark.parametrize("name", SURVEYS)
def test_a_star_is_as_wide_as_the_seeing_and_keeps_its_light(name):
    survey = SURVEYS[name]
    night = draw_night(survey, np.random.default_rng(1))
    count = len(survey.bands)
    light = np.zeros((count, 161, 161), np.float32)
    add_gaussian(light, 0.0, 0.0, np.ones(count))
    seen = spread(light, night.psf, np.zeros((count, 2)), survey.pixel_arcsec)
    assert seen.sum(axis=(1, 2)) == pytest.approx(np.ones(count), rel=5e-3)
    for index, psf in enumerate(night.psf):
        profile = seen[index, 80, 80:].astype(float)
        half = np.interp(-profile.max() / 2, -profile, np.arange(81)) * survey.pixel_arcsec
        assert 2 * half == pytest.approx(psf.fwhm_arcsec, rel=0.05)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_the_width_that_is_written_is_that_of_a_star_in_binned_pixels_too(factor):
    night = draw_night(SURVEYS["sdss"], np.random.default_rng(1)).binned(factor)
    light = np.zeros((3, 65, 65), np.float32)
    add_gaussian(light, 0.0, 0.0, np.ones(3))
    seen = spread(light, night.psf, np.zeros((3, 2)), night.pixel_arcsec)
    for band, psf in zip(seen, night.psf, strict=True):
        # sampled finely by its Fourier transform: a pixel is as wide as the star
        fine = np.fft.irfft(np.pad(np.fft.rfft(band.sum(axis=0).astype(float)), (0, 992)))
        above = np.count_nonzero(fine > fine.max() / 2) * 65 / len(fine) * night.pixel_arcsec
        # a sum along y has the wings of the second Gaussian in it, and is a few per cent wider
        assert above == pytest.approx(psf.width_arcsec(night.pixel_arcsec), rel=0.12)


def test_errors_of_astrometry_move_a_band():
    light = np.zeros((2, 65, 65), np.float32)
    add_gaussian(light, 0.0, 0.0, np.ones(2))
    shift = np.array([[0.0, 0.0], [0.8, -0.4]])
    seen = spread(light, (Psf(1.3, 0.0), Psf(1.3, 0.0)), shift, 0.4)
    seen = seen / seen.sum(axis=(1, 2), keepdims=True)
    centres = (seen * np.arange(65)).sum(axis=(1, 2)), (seen * np.arange(65)[:, None]).sum(axis=(1, 2))
    assert centres[0] == pytest.approx([32, 34], abs=0.01)
    assert centres[1] == pytest.approx([32, 31], abs=0.01)


@pytest.mark.parametrize("name", SURVEYS)
def test_the_noise_of_an_empty_field_is_what_is_stated(name):
    survey = SURVEYS[name]
    night = draw_night(survey, np.random.default_rng(2))
    empty = np.zeros((len(survey.bands), 200, 200), np.float32)
    seen = expose(empty, night, np.random.default_rng(3))
    high_pass = (seen[:, :, 1:] - seen[:, :, :-1]) / np.sqrt(2)  # free of what sky subtraction has left
    assert high_pass.std(axis=(1, 2)) == pytest.approx(sky_sigma(night), rel=0.02)
    # a bin of four pixels: twice the noise
    assert sky_sigma(night.binned(2)) == pytest.approx(2 * sky_sigma(night), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "published", "within"),
    [
        # York et al. (2000): 5 sigma for stars at g 23.3, r 23.1, i 22.3, at a seeing of 1 arcsec
        ("sdss", [23.3, 22.9, 22.3], 0.5),
        # an exponential disc of 0.45 arcsec at g 24.0, r 23.4, z 22.5 (Dey et al. 2019) is 0.5 fainter as a star
        ("legacy", [24.5, 23.9, 23.0], 0.3),
        # Aihara et al. (2018): apertures of 2 arcsec; 0.3 deeper for stars
        ("hsc", [26.8, 26.4, 26.2, 25.4, 24.7], 0.3),
    ],
)
def test_a_survey_is_as_deep_as_published(name, published, within):
    survey = SURVEYS[name]
    night = draw_night(survey, np.random.default_rng(0))
    pixels = 4 * np.pi * np.array([(psf.fwhm_arcsec / 2.355 / survey.pixel_arcsec) ** 2 for psf in night.psf])
    limit = 22.5 - 2.5 * np.log10(5 * sky_sigma(night) * np.sqrt(pixels))
    assert limit == pytest.approx(published, abs=within)


def test_bright_light_is_noisier_by_its_own_electrons():
    survey = SURVEYS["sdss"]
    night = draw_night(survey, np.random.default_rng(4))
    lit = np.full((3, 300, 300), 10.0, np.float32)
    seen = expose(lit, night, np.random.default_rng(5))
    electrons = np.array([band.electrons for band in survey.bands])
    spread_of = (seen[:, :, 1:] - seen[:, :, :-1]).std(axis=(1, 2)) / np.sqrt(2)
    assert spread_of == pytest.approx(np.sqrt(10 / electrons + sky_sigma(night) ** 2), rel=0.02)
    assert seen.mean(axis=(1, 2)) == pytest.approx([10, 10, 10], abs=0.1)


def test_a_full_pixel_holds_no_more():
    night = draw_night(SURVEYS["sdss"], np.random.default_rng(6))
    seen = expose(np.full((3, 9, 9), 1e6, np.float32), night, np.random.default_rng(7))
    assert seen.max() < 520
