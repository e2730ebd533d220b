"""Light adds up: GalSim's profiles, discs and whole galaxies hold the flux asked for, where it should be."""

import math
import sys
from functools import partial

import numpy as np
import pytest

from mergerscope.errors import MissingExtraError
from mergerscope.simulate.discs import draw_disc, draw_dwarf, draw_lenticular, paint_disc
from mergerscope.simulate.galaxies import draw_galaxy, paint_galaxy
from mergerscope.simulate.light import Grid, add_gaussian, disc, galsim, sersic, to_bands
from mergerscope.simulate.petrosian import petrosian_radius
from mergerscope.simulate.populations import dust_colour, extinction, galaxy_colour, star_colour

WIDE = Grid(257, 1.0)


def radii(where):
    axis = np.arange(where.size) - (where.size - 1) / 2
    return np.hypot((axis - where.centre_px[0])[None, :], (axis - where.centre_px[1])[:, None])


@pytest.mark.parametrize("index", [0.7, 1.0, 2.5, 4.0])
def test_a_sersic_profile_holds_its_flux_and_half_of_it_inside_its_radius(index):
    light = sersic(WIDE, 3.0, 10.0, index, 1.0, 0.0)
    assert light.min() >= 0
    assert light.sum() == pytest.approx(3.0, rel=0.02)
    # the profile ends at seven radii, and GalSim's radius is that of the profile so cut
    assert light[radii(WIDE) <= 10].sum() == pytest.approx(1.5, rel=0.04)


def test_a_flat_profile_lies_along_its_angle():
    light = sersic(WIDE, 1.0, 14.0, 1.0, 0.3, math.radians(30))
    y, x = np.mgrid[:257, :257] - 128.0
    angle = 0.5 * math.atan2(2 * (light * x * y).sum(), (light * (x**2 - y**2)).sum())
    assert math.degrees(angle) == pytest.approx(30, abs=1)


@pytest.mark.parametrize("tilt", [0.0, 0.8, 1.5])
def test_a_disc_holds_its_flux_from_any_side(tilt):
    assert disc(WIDE, 2.0, 8.0, tilt, 0.4).sum() == pytest.approx(2.0, rel=0.02)


def test_a_galaxy_on_the_edge_is_cut_and_one_far_outside_is_nothing():
    assert sersic(Grid(64, 1.0, (32.0, 0.0)), 1.0, 3.0, 1.0, 1.0, 0.0).sum() == pytest.approx(0.5, abs=0.02)
    assert sersic(Grid(64, 1.0, (500.0, 0.0)), 1.0, 3.0, 1.0, 1.0, 0.0).sum() == 0


def test_a_point_falls_where_it_belongs_with_all_its_light():
    light = np.zeros((2, 33, 41), np.float32)
    add_gaussian(light, 3.3, -5.6, np.array([1.0, 4.0]))
    assert light.sum(axis=(1, 2)) == pytest.approx([1.0, 4.0], rel=5e-3)
    share = light[0] / light[0].sum()
    assert (share * np.arange(41)).sum() == pytest.approx(20 + 3.3, abs=0.02)
    assert (share * np.arange(33)[:, None]).sum() == pytest.approx(16 - 5.6, abs=0.02)
    add_gaussian(light, 100.0, 0.0, np.array([1.0, 4.0]))
    assert light.sum() == pytest.approx(5.0, rel=5e-3)


@pytest.mark.parametrize("draw", [partial(draw_disc, -20.5), draw_lenticular, draw_dwarf])
def test_a_disc_galaxy_holds_the_flux_asked_for_whatever_its_arms(draw):
    for seed in range(12):
        what = draw(0.6, np.random.default_rng(seed))
        stars = paint_disc(what, Grid(200, 0.4), 50.0, 5.0, 0.3)
        assert stars.old.min() >= 0
        assert stars.young.min() >= 0
        assert stars.old.sum() + stars.young.sum() == pytest.approx(50.0, rel=0.08)
        assert stars.depth is None or stars.depth.min() >= 0


def test_structure_does_not_depend_on_the_grid():
    what = draw_disc(-21.5, 0.3, np.random.default_rng(5))
    coarse, fine = (paint_disc(what, Grid(size, 40 / size), 1.0, 5.0, 0.0).young for size in (64, 192))
    binned = fine.reshape(64, 3, 64, 3).sum(axis=(1, 3))
    assert np.corrcoef(coarse.ravel(), binned.ravel())[0, 1] > 0.97


def test_old_stars_are_redder_and_grow_redder_with_redshift():
    old, far, young = galaxy_colour("old", 0.05), galaxy_colour("old", 0.25), galaxy_colour("young", 0.05)
    assert far[0] < old[0] < young[0]
    assert old[2] > young[2]
    assert old[1] == young[1] == 1


def test_dust_dims_blue_light_most():
    assert np.all(np.diff(dust_colour()) < 0)
    assert np.all(np.diff(extinction("sdss", 0.1)) > 0)
    galaxy = next(g for g in (draw_galaxy(np.random.default_rng(s)) for s in range(99)) if g.kind == "edge_on")
    stars = paint_galaxy(galaxy, Grid(150, 0.4))
    lit = to_bands(stars, (0, 2), galaxy.redshift).sum(axis=(1, 2))
    bare = to_bands(type(stars)(stars.old, stars.young), (0, 2), galaxy.redshift).sum(axis=(1, 2))
    assert lit[0] / bare[0] < lit[1] / bare[1] < 1


def test_red_dwarfs_are_redder_than_other_stars():
    rng = np.random.default_rng(0)
    dwarfs, others = (np.mean([star_colour(kind, rng)[0] for _ in range(50)]) for kind in (True, False))
    assert dwarfs < 0.6 * others


def test_petrosian_radii_are_those_of_an_exponential_disc():
    # an exponential disc has r_50 = 1.678 h and r_90 = 3.89 h, and its Petrosian flux is 99 % of its light
    light = sersic(Grid(401, 1.0), 1.0, 20.0, 1.0, 1.0, 0.0)
    assert petrosian_radius(light, (0.0, 0.0), 0.5) == pytest.approx(20, rel=0.04)
    assert petrosian_radius(light, (0.0, 0.0), 0.9) == pytest.approx(2.3 * 20, rel=0.05)


def test_without_galsim_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "galsim", None)
    with pytest.raises(MissingExtraError, match=r"mergerscope\[simulate\]"):
        galsim()
