"""A simulated survey: same seed, same bytes, however many workers; a catalogue and images that the pipeline reads."""

import csv
import io
import zipfile

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.wcs import WCS
from PIL import Image

from mergerscope.simulate.fits import fits_bytes
from mergerscope.simulate.galaxies import draw_galaxy
from mergerscope.simulate.instrument import SURVEYS, draw_night
from mergerscope.simulate.light import Grid, sersic
from mergerscope.simulate.populations import BANDS, extinction, galaxy_colour
from mergerscope.simulate.psf import spread
from mergerscope.simulate.scene import MARGIN_PX, draw_scene, sketch, stream
from mergerscope.simulate.votes import VOTE_COLUMNS
from mergerscope.simulate.write import Recipe, simulate_survey
from mergerscope.survey.formats import open_survey
from mergerscope.survey.votes import TRUTH

WHAT = Recipe(seed=3, side_px=64, merger_fraction=0.3)


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    out = tmp_path_factory.mktemp("survey")
    simulate_survey(out, 70, WHAT)
    return out


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_equal_seeds_give_equal_bytes_with_any_number_of_workers(survey, tmp_path):
    simulate_survey(tmp_path, 70, WHAT, workers=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["catalog.csv", "images.zip"]
    for path in survey.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_a_longer_survey_begins_with_the_shorter_one(survey, tmp_path):
    simulate_survey(tmp_path, 9, WHAT)
    assert rows(tmp_path / "catalog.csv") == rows(survey / "catalog.csv")[:9]
    with zipfile.ZipFile(survey / "images.zip") as long, zipfile.ZipFile(tmp_path / "images.zip") as short:
        assert all(long.read(name) == short.read(name) for name in short.namelist())


def test_another_seed_gives_another_sky(survey, tmp_path):
    simulate_survey(tmp_path, 2, Recipe(seed=4, side_px=64))
    assert rows(tmp_path / "catalog.csv") != rows(survey / "catalog.csv")[:2]


def test_the_catalogue_holds_positions_votes_and_the_truth(survey):
    catalog = rows(survey / "catalog.csv")
    assert list(catalog[0]) == ["id", "filename", "ra_deg", "dec_deg", *VOTE_COLUMNS, *TRUTH]
    assert len(catalog) == 70
    for row in catalog:
        assert all(0 <= float(row[name]) <= 1 for name in VOTE_COLUMNS)
        assert 0 <= float(row["ra_deg"]) < 360
        assert -90 <= float(row["dec_deg"]) <= 90
        merging = row["truth_class"] == "merger"
        assert merging == (row["mass_ratio"] != "") == (row["time_since_pericentre_gyr"] != "")
        assert float(row["petro_r90_arcsec"]) > 2
    share = np.mean([row["truth_class"] == "merger" for row in catalog])
    assert 0.15 < share < 0.45


def test_every_row_has_its_image(survey):
    catalog = rows(survey / "catalog.csv")
    with zipfile.ZipFile(survey / "images.zip") as images:
        assert images.namelist() == [row["filename"] for row in catalog]
        with Image.open(io.BytesIO(images.read(catalog[0]["filename"]))) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (64, 64))


def test_the_reader_takes_votes_and_leaves_the_truth(survey):
    layout = open_survey(survey, "auto", "Class8.6")
    assert layout.votes == VOTE_COLUMNS
    assert set(layout.ignored_columns) == set(TRUTH)
    assert all("truth" in reason or "fraction" in reason for reason in layout.ignored_columns.values())


@pytest.mark.parametrize("name", ["sdss", "legacy", "hsc"])
def test_fits_files_have_bands_units_and_a_wcs(name, tmp_path):
    simulate_survey(tmp_path, 1, Recipe(seed=1, survey=name, file_format="fits", side_px=80, merger_fraction=0))
    row = rows(tmp_path / "catalog.csv")[0]
    with fits.open(tmp_path / "images" / row["filename"]) as file:
        assert [hdu.name.lower() for hdu in file[1:]] == [band.name for band in SURVEYS[name].bands]
        for hdu in file[1:]:
            assert hdu.data.shape == (80, 80)
            assert units.Unit(hdu.header["BUNIT"]) == units.Unit("nanomaggy")
            wcs = WCS(hdu.header)
            # the middle of 80 pixels counted from 0 is 39.5
            middle = wcs.pixel_to_world(39.5, 39.5)
            assert middle.ra.deg == pytest.approx(float(row["ra_deg"]), abs=1e-6)
            assert middle.dec.deg == pytest.approx(float(row["dec_deg"]), abs=1e-6)
            assert middle.separation(wcs.pixel_to_world(39.5, 40.5)).arcsec == pytest.approx(
                SURVEYS[name].pixel_arcsec, rel=1e-6
            )
            assert wcs.pixel_to_world(39.5, 60).dec > middle.dec
            assert hdu.data[35:45, 35:45].mean() > 3 * hdu.header["SKYSIGMA"]


def test_flux_in_the_field_is_that_of_the_galaxy():
    excess = []
    for index in range(12):
        what = sketch(8, index, 0.0)
        if what.impostor is None:
            scene = draw_scene(8, what, None, SURVEYS["sdss"], 100, native=False)
            size = scene.flux.shape[1]
            axis = np.arange(size) - (size - 1) / 2
            inside = np.hypot(axis[:, None], axis) < 2 * scene.petro_r90_arcsec / scene.night.pixel_arcsec
            flux = float(scene.flux[1][inside].sum())
            excess.append(22.5 - 2.5 * np.log10(flux) - scene.magnitude)
    # dust, Galactic and its own, dims a galaxy by a tenth or two; a few have a bright star within the aperture
    assert np.median(excess) == pytest.approx(0.1, abs=0.25)


def test_the_field_is_a_fixed_number_of_petrosian_radii():
    scene = draw_scene(3, sketch(3, 1, 0.0), None, SURVEYS["sdss"], 424, native=False)
    assert scene.field_px * scene.night.pixel_arcsec == pytest.approx(8.48 * scene.petro_r90_arcsec)
    native = draw_scene(3, sketch(3, 1, 0.0), None, SURVEYS["sdss"], 60, native=True)
    assert native.field_px == 60
    assert native.night.pixel_arcsec == SURVEYS["sdss"].pixel_arcsec


@pytest.mark.parametrize("name", SURVEYS)
def test_every_band_holds_the_light_of_an_elliptical(name):
    """One without dust of its own: its light in each band is its colour, less Galactic extinction."""
    survey = SURVEYS[name]
    bands = [BANDS.index(band.name) for band in survey.bands]
    found = []
    for index in range(150):
        what = sketch(11, index, 0.0)
        galaxy = draw_galaxy(stream(11, index, 1))
        if what.impostor is None and galaxy.kind == "elliptical" and galaxy.radius_arcsec < 3.5 and galaxy.young < 0.01:
            scene = draw_scene(11, what, None, survey, round(30 / survey.pixel_arcsec), native=True)
            axis = np.arange(scene.flux.shape[1]) - (scene.flux.shape[1] - 1) / 2
            near = np.hypot(axis[:, None], axis) * survey.pixel_arcsec < 9
            colour = galaxy_colour("old", galaxy.redshift, galaxy.redder)[bands]
            through = extinction(name, scene.night.reddening_mag)[bands]
            found.append(scene.flux[:, near].sum(axis=1) / (galaxy.flux * colour * through))
    assert len(found) > 4
    # an aperture misses a few per cent of a Sersic profile, faint neighbours and what is left of the sky add as much
    assert np.median(found, axis=0) == pytest.approx(np.ones(len(bands)), abs=0.1)


@pytest.mark.parametrize("side", [1, 33, 64])
def test_a_fits_image_is_the_scene_without_its_margin_to_the_last_pixel(side):
    scene = draw_scene(3, sketch(3, 1, 0.0), None, SURVEYS["legacy"], side, native=True)
    with fits.open(io.BytesIO(fits_bytes(scene, "sim0000001", 359.9999, 89.0))) as file:
        for index, hdu in enumerate(file[1:]):
            inner = scene.flux[index, MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
            assert hdu.data.shape == (side, side)
            assert np.array_equal(hdu.data, inner[::-1])
            # beside the pole and the meridian too, the middle of the image is the galaxy
            ra, dec = WCS(hdu.header).all_pix2world((side - 1) / 2, (side - 1) / 2, 0)
            assert (float(ra), float(dec)) == pytest.approx((359.9999, 89.0), abs=1e-7)


def test_light_does_not_wrap_around_the_edge_of_a_field():
    """A bright disc half outside on the left leaves nothing on the right but noise."""
    night = draw_night(SURVEYS["sdss"], np.random.default_rng(0))
    size = 64 + 2 * MARGIN_PX
    light = np.zeros((3, size, size), np.float32)
    light += 3000 * sersic(Grid(size, night.pixel_arcsec, (-size / 2 + 4.0, 0.0)), 1.0, 1.5, 1.0, 1.0, 0.0)
    seen = spread(light, night.psf, night.shift_arcsec, night.pixel_arcsec)
    kept = seen[:, MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX]
    right, left = kept[:, :, -4:].max(), kept[:, :, :4].max()
    assert right < 0.03 * left
