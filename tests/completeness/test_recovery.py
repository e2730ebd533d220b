from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from mergerscope.completeness.recovery import bins_of, depths, ranks_among, wilson


def test_the_rank_of_an_injected_one_is_that_of_the_list_with_it_alone():
    rng = np.random.default_rng(0)
    candidates, scores = rng.integers(0, 40, 200) / 10, rng.integers(-5, 50, 60) / 10
    by_hand = [1 + sum(other > mine for other in candidates.tolist()) for mine in scores.tolist()]
    assert ranks_among(scores, candidates).tolist() == by_hand
    assert ranks_among(np.array([9.0, -9.0]), candidates).tolist() == [1, 201]


@pytest.mark.parametrize(("recovered", "number"), [(0, 10), (3, 10), (7, 8), (10, 10), (250, 600)])
def test_the_ends_of_the_wilson_interval_solve_its_equation(recovered, number):
    # |share - p| = z sqrt(p (1 - p) / n) at both ends, with z = 1.959964 for 95 %
    share = recovered / number
    for end in wilson(recovered, number, 0.95):
        assert abs(share - end) == pytest.approx(1.959964 * math.sqrt(end * (1 - end) / number), abs=1e-6)


def test_the_wilson_interval_of_none_out_of_none_is_everything():
    assert wilson(0, 0, 0.95) == (0.0, 1.0)


def test_depths_stay_inside_the_list():
    assert depths(20_000) == [100, 500, 1000]
    assert depths(4423) == [100, 221, 500]
    assert depths(8) == [1, 8]


def test_bins_hold_each_merger_once_and_count_the_recovered():
    rng = np.random.default_rng(1)
    values, ranks = rng.uniform(0.1, 1, 100), rng.integers(1, 1000, 100)
    bins = bins_of(values, ranks, [100, 500])
    assert [part.k for part in bins] == [100] * 6 + [500] * 6
    for k in (100, 500):
        mine = [part for part in bins if part.k == k]
        assert sum(part.number for part in mine) == 100
        assert {part.number for part in mine} <= {16, 17}
        assert sum(part.recovered for part in mine) == (ranks <= k).sum()
        assert all(before.high == after.low for before, after in itertools.pairwise(mine))
    inside = (values >= bins[2].low) & (values < bins[2].high)
    assert bins[2].recovered == (ranks[inside] <= 100).sum()
    assert bins[2].fraction == bins[2].recovered / inside.sum()


def test_a_quantity_of_one_value_has_one_bin():
    (part,) = bins_of(np.full(5, 0.5), np.arange(1, 6), [2])
    assert (part.low, part.high, part.number, part.recovered) == (0.5, 0.5, 5, 2)
