"""Encounters as a survey would see them."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.simulate.mergers import BOUND, MOVING, Merger, follow
from mergerscope.simulate.paint import paint, paint_tidal, splat
from mergerscope.simulate.plan import draw_plan


@pytest.fixture(scope="module")
def plans():
    return [draw_plan(np.random.default_rng(seed)) for seed in range(10)]


@pytest.fixture(scope="module")
def mergers(plans):
    return follow(plans)


def same(one: Merger, other: Merger) -> bool:
    return all(
        np.array_equal(getattr(one, field.name), getattr(other, field.name))
        if isinstance(getattr(one, field.name), np.ndarray)
        else getattr(one, field.name) == getattr(other, field.name)
        for field in fields(Merger)
    )


def planned(mergers_of, phase, **changes):
    return [replace(plan, phase=phase, **changes) for plan in mergers_of]


def discs(plan, **changes):
    return replace(plan, galaxies=tuple(replace(g, kind="disc", **changes) for g in plan.galaxies))


def test_every_star_is_there_and_the_light_is_one(mergers):
    for merger in mergers:
        points = sum(MOVING) + 2 * BOUND
        assert merger.position_kpc.shape == (points, 2)
        assert len(merger.old) == len(merger.young) == len(merger.width_kpc) == len(merger.tidal) == points
        assert merger.old.sum() + merger.young.sum() == pytest.approx(1)
        assert min(merger.old.min(), merger.young.min()) >= 0
        assert np.isfinite(merger.position_kpc).all()
        assert (merger.width_kpc > 0).all()
        assert merger.half_light_kpc > 0


def test_many_at_once_equal_one_by_one(plans, mergers):
    for plan, merger in zip(plans, mergers, strict=True):
        assert same(follow([plan])[0], merger)


def test_plans_are_drawn_alike_from_alike_seeds(plans):
    assert [draw_plan(np.random.default_rng(seed)) for seed in range(10)] == plans
    assert len({plan.seed for plan in plans}) == len(plans)
    assert follow([]) == []


def test_truth_agrees_with_what_is_shown(plans, mergers):
    for plan, merger in zip(plans, mergers, strict=True):
        truth = merger.truth
        assert 0.1 <= truth.mass_ratio <= 1
        assert truth.separation_kpc == pytest.approx(np.linalg.norm(merger.nuclei_kpc[1] - merger.nuclei_kpc[0]))
        assert truth.separation_kpc <= truth.separation_3d_kpc + 1e-9
        assert (truth.time_since_pericentre_gyr < 0) == (plan.phase < 0)
        assert (truth.stage == "coalesced") == (plan.phase >= 1)
        assert 0 <= truth.tidal_fraction < 1
        assert truth.tidal_fraction == pytest.approx((merger.old + merger.young)[merger.tidal].sum())


def test_stages_follow_each_other(plans):
    stages = [follow([replace(plans[0], phase=phase)])[0].truth.stage for phase in (-0.9, 0.0, 0.3, 0.98, 1.2)]
    assert stages == ["approach", "passage", "apart", "return", "coalesced"]


def test_tides_act_after_the_passage_and_not_before(plans):
    chosen = [discs(plan) for plan in plans]
    before = [merger.truth.tidal_fraction for merger in follow(planned(chosen, -0.6))]
    after = [merger.truth.tidal_fraction for merger in follow(planned(chosen, 0.4))]
    assert max(before) < 0.01
    assert np.median(after) > 0.03


def test_prograde_discs_throw_out_more_than_retrograde_ones(plans):
    # Toomre & Toomre (1972), figs. 1 and 2
    torn = {}
    for name, polar in (("prograde", 0.2), ("retrograde", 2.94)):
        chosen = [discs(plan, spin=(polar, 0.0), extent=1.0, mass=3.0, scale_kpc=3.0) for plan in plans[:4]]
        seen = follow(planned(chosen, 0.15, pericentre=4.0, binding=0.2, friction=3.0))
        torn[name] = np.mean([merger.truth.tidal_fraction for merger in seen])
    assert torn["prograde"] > 2 * torn["retrograde"] > 0


def test_a_passage_lights_a_starburst(plans):
    chosen = [discs(plan, young_fraction=0.3) for plan in plans]
    young = {phase: np.mean([m.young.sum() for m in follow(planned(chosen, phase))]) for phase in (-0.3, 0.05, 1.9)}
    assert young[-0.3] < young[0.05]
    assert young[1.9] < young[0.05]


def test_painting_keeps_the_light(mergers):
    for merger in mergers:
        reach = np.abs(merger.position_kpc).max() + 4 * merger.width_kpc.max()
        both = paint(merger, 128, 2.4 * reach / 128)
        assert both.shape == (2, 128, 128)
        assert both.min() >= 0
        assert both.sum(axis=(1, 2)) == pytest.approx([merger.old.sum(), merger.young.sum()], rel=1e-6, abs=1e-9)


def test_a_narrow_field_holds_what_falls_inside(mergers):
    merger = mergers[0]
    half = 2 * merger.half_light_kpc
    light = paint(merger, 100, 2 * half / 100).sum()
    inside = (np.abs(merger.position_kpc) < half).all(axis=1)
    assert light == pytest.approx((merger.old + merger.young)[inside].sum(), abs=0.02)


def test_torn_light_is_part_of_all_light(mergers):
    merger = max(mergers, key=lambda m: m.truth.tidal_fraction)
    reach = np.abs(merger.position_kpc).max() + 4 * merger.width_kpc.max()
    torn, both = paint_tidal(merger, 96, 2.4 * reach / 96), paint(merger, 96, 2.4 * reach / 96)
    assert torn.sum() == pytest.approx(merger.truth.tidal_fraction, rel=1e-6)
    assert (torn <= both.sum(axis=0) + 1e-12).all()


@given(st.floats(-25, 25), st.floats(-25, 25), st.floats(0.8, 3.2))
def test_a_point_becomes_a_gaussian_at_its_place(x, y, width):
    image = splat(np.array([[x, y]]), np.array([[1.0]]), np.array([width]), 101, 1.0)[0]
    axis = np.arange(101) - 50.0
    columns, rows = image.sum(axis=0), image.sum(axis=1)
    assert image.sum() == pytest.approx(1, abs=1e-6)
    assert (columns @ axis, rows @ axis) == pytest.approx((x, y), abs=1e-3)
    spread = columns @ (axis - x) ** 2
    # the pixel adds a twelfth of its square, and sharing a point among two pixels up to a quarter
    assert width**2 + 0.083 < spread < width**2 + 0.334


def test_light_beyond_one_edge_does_not_come_back_at_the_other():
    image = splat(np.array([[-33.0, 0.0]]), np.array([[1.0]]), np.array([3.0]), 64, 1.0)[0]
    assert 0.3 < image[:, :32].sum() < 0.5
    assert image[:, 32:].max() < 1e-12
