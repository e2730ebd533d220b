from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mergerscope.completeness.inject import TRUTH, draw_mergers, inject, plans, truth_row
from mergerscope.completeness.point_spread import FWHM, PointSpread, measure_point_spread
from mergerscope.completeness.sky import lift_host, measure_sky
from mergerscope.simulate.plan import draw_plan

COUNT = 4


@pytest.fixture(scope="module")
def mergers():
    return list(draw_mergers(COUNT, 5))


def _points(fwhm):
    return PointSpread(np.full(50, fwhm), np.full(50, 0.5))


def _as_bytes(image):
    return np.round(255 * image).astype(np.uint8)


def test_mergers_depend_on_seed_and_number_alone(mergers):
    fewer = list(draw_mergers(2, 5))
    for one, other in zip(fewer, mergers, strict=False):
        assert np.array_equal(one.position_kpc, other.position_kpc)
        assert one.truth == other.truth
    assert next(draw_mergers(1, 6)).truth != mergers[0].truth
    trained_on = [draw_plan(np.random.default_rng([5, number])) for number in range(4)]
    assert not {plan.seed for plan in trained_on} & {plan.seed for plan in plans(range(4), 5)}
    assert len(truth_row(mergers[0])) == len(TRUTH)
    assert truth_row(mergers[0])[2] == mergers[0].truth.separation_kpc / mergers[0].half_light_kpc


def test_an_injected_merger_has_the_light_and_colour_of_its_host(mergers, sky_field):
    image = sky_field(1, stars=0, galaxy=0.7) * np.array([1.3, 1.0, 0.7])[:, None, None]
    host = lift_host(image.clip(0, 1), np.random.default_rng(0))
    compact = next(m for m in mergers if m.truth.separation_kpc < 2 * m.half_light_kpc)
    injected = inject(_as_bytes(image.clip(0, 1)), compact, _points(2.5), np.random.default_rng(0))
    # the sky of the fixture; far out, its noise would add up to more than the galaxy
    axis = np.arange(64) - 31.5
    near = np.hypot(axis[:, None], axis[None, :]) < 22
    light = (injected.image / 255 - 0.05 * np.array([1.3, 1.0, 0.7])[:, None, None]) * near
    assert injected.brightness == pytest.approx(host.brightness, rel=0.05)
    # what falls outside of the cutout, and what sky and light hide of each other, is missing
    assert float(light.mean(axis=0).sum()) == pytest.approx(host.brightness, rel=0.2)
    theirs, mine = host.light.sum(axis=(1, 2)), light.sum(axis=(1, 2))
    assert np.allclose(mine / mine.sum(), theirs / theirs.sum(), atol=0.05)


def test_the_noise_of_the_sky_is_kept(mergers, sky_field):
    for seed, merger in enumerate(mergers):
        image = sky_field(seed, stars=0)
        injected = inject(_as_bytes(image), merger, _points(2.5), np.random.default_rng(seed)).image / 255
        before, after = measure_sky(image), measure_sky(injected)
        assert np.allclose(after.level, before.level, atol=0.01)
        assert after.values.std() < 2 * before.values.std()
        # nowhere, not where the host was either, is the picture smoother than the sky
        patches = injected.reshape(3, 8, 8, 8, 8).transpose(0, 1, 3, 2, 4).reshape(3, 64, 64)
        assert np.median(patches.std(axis=2)) > 0.7 * np.median(before.values.std(axis=1))


@pytest.mark.parametrize("fwhm", [2.5, 4.0])
def test_a_point_of_light_is_as_wide_as_the_survey_s(mergers, sky_field, fwhm):
    from mergerscope.completeness.inject import _blurred

    merger = mergers[0]
    lone = np.zeros_like(merger.old)
    lone[0] = 1.0
    point = replace(
        merger, position_kpc=np.zeros_like(merger.position_kpc), old=lone, young=0 * lone,
        width_kpc=np.full_like(merger.width_kpc, 1e-3), nuclei_kpc=np.zeros((2, 2)),
    )
    light = _blurred(point, 65, 1.0, fwhm)[0][0, 0].numpy()
    before, peak, after = np.log(light[32, [30, 32, 34]])
    sigma = 2 / np.sqrt(2 * peak - before - after)  # of the Gaussian through the three
    assert FWHM * sigma == pytest.approx(fwhm, rel=0.04)


def test_equal_seeds_give_equal_pictures(mergers, sky_field):
    image = _as_bytes(sky_field(2))
    one, again, other = (inject(image, mergers[1], _points(2.5), np.random.default_rng(s)).image for s in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_painted_single_galaxy_is_one_galaxy():
    (alone,) = draw_mergers(1, 5, alone=True)
    assert (alone.old.sum() + alone.young.sum()) == pytest.approx(1)
    assert not alone.nuclei_kpc.any()
    radius = np.linalg.norm(alone.position_kpc, axis=1)
    light = alone.old + alone.young
    assert light[radius < alone.half_light_kpc].sum() == pytest.approx(0.5, abs=0.01)
    assert np.abs(np.average(alone.position_kpc, axis=0, weights=light)).max() < 0.2 * alone.half_light_kpc


def test_a_survey_without_stars_is_painted_with_the_usual_width(mergers, sky_field):
    points = measure_point_spread([sky_field(0, stars=0)])
    assert inject(_as_bytes(sky_field(1)), mergers[0], points, np.random.default_rng(0)).fwhm_px == 2.0
