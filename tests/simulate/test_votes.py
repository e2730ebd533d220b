"""Votes that a crowd could have given."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.simulate.instrument import SURVEYS
from mergerscope.simulate.scene import draw_scene, sketch
from mergerscope.simulate.truth import MergerTruth, Truth, TruthClass
from mergerscope.simulate.vote_tree import ANSWERS, LEADS_TO
from mergerscope.simulate.votes import VOTE_COLUMNS, cast_votes, merger_opinion

FRACTION = st.floats(0, 1)
SIGNAL = st.floats(0, 300)
ENCOUNTER = MergerTruth(0.5, 0.2, 8.0, 10.0, 5.0, 30.0, 90.0, 0.1, "apart")
TRUTHS = st.builds(
    Truth,
    truth_class=st.sampled_from(get_args(TruthClass)),
    bulge_fraction=FRACTION,
    axis_ratio=FRACTION,
    arms=st.integers(0, 7),
    arm_winding=FRACTION,
    arm_contrast=FRACTION,
    bar=FRACTION,
    clumpy=FRACTION,
    ring=st.booleans(),
    dust_lane=FRACTION,
    detail_resolution=st.floats(0, 60),
    visible_tidal_snr=SIGNAL,
    second_nucleus_snr=SIGNAL,
    separation_arcsec=SIGNAL,
    separation_r90=st.floats(0, 20),
    colour_difference=st.floats(0, 3),
    size_ratio=st.floats(0, 5),
    merger=st.sampled_from([None, ENCOUNTER]),
)

SPIRAL = Truth(truth_class="spiral", arms=2, arm_contrast=0.7, axis_ratio=0.8, bulge_fraction=0.1)
ELLIPTICAL = Truth(truth_class="elliptical", bulge_fraction=1.0, axis_ratio=0.9)
EDGE_ON = Truth(truth_class="edge_on", bulge_fraction=0.2, axis_ratio=0.15, dust_lane=0.6)
PAIR = Truth(
    truth_class="merger", second_nucleus_snr=60.0, separation_arcsec=6.0, separation_r90=0.7, size_ratio=0.8,
    visible_tidal_snr=5.0, merger=ENCOUNTER,
)  # fmt: skip


def mean_votes(truth):
    votes = [cast_votes(truth, np.random.default_rng(seed)) for seed in range(200)]
    return {column: np.mean([vote[column] for vote in votes]) for column in VOTE_COLUMNS}


@given(TRUTHS, st.integers(0, 2**32))
def test_votes_are_fractions_that_sum_down_the_tree(truth, seed):
    votes = cast_votes(truth, np.random.default_rng(seed))
    assert tuple(votes) == VOTE_COLUMNS
    assert len(VOTE_COLUMNS) == 37
    assert all(0 <= vote <= 1 for vote in votes.values())
    for question, answers in ANSWERS.items():
        parent = LEADS_TO[question]
        above = 1.0 if parent is None else votes[f"Class{parent[0]}.{parent[1]}"]
        children = sum(votes[f"Class{question}.{i}"] for i in range(1, len(answers) + 1))
        assert children == pytest.approx(above, abs=5e-6)


def test_alike_crowds_say_alike():
    one, other = (cast_votes(PAIR, np.random.default_rng(7)) for _ in range(2))
    assert one == other != cast_votes(PAIR, np.random.default_rng(8))


def test_columns_name_the_answers_of_galaxy_zoo():
    assert mean_votes(ELLIPTICAL)["Class1.1"] > 0.75
    assert mean_votes(ELLIPTICAL)["Class7.1"] > 0.5
    spiral = mean_votes(SPIRAL)
    assert spiral["Class4.1"] > 0.6
    assert spiral["Class11.2"] > spiral["Class11.3"]
    assert mean_votes(EDGE_ON)["Class2.1"] > 0.6
    assert mean_votes(replace(SPIRAL, bar=0.9))["Class3.1"] > 0.4 > mean_votes(SPIRAL)["Class3.1"]
    assert mean_votes(replace(SPIRAL, truth_class="trail"))["Class1.3"] > 0.4
    assert mean_votes(PAIR)["Class8.6"] > 0.7


def test_a_faint_tail_and_a_close_nucleus_are_missed():
    faint = replace(PAIR, visible_tidal_snr=0.5, second_nucleus_snr=0.0)
    fused = replace(PAIR, visible_tidal_snr=0.5, separation_arcsec=0.5)
    far = replace(PAIR, visible_tidal_snr=0.0, separation_r90=4.0)
    for missed in (faint, fused, far):
        assert mean_votes(missed)["Class8.6"] < 0.15


def test_tails_help_and_so_do_nuclei():
    opinions = [merger_opinion(replace(PAIR, visible_tidal_snr=snr, second_nucleus_snr=0.0)) for snr in (0, 2, 3, 9)]
    assert opinions == sorted(opinions)
    assert opinions[0] == 0
    near = [merger_opinion(replace(PAIR, visible_tidal_snr=0, separation_r90=apart)) for apart in (0.5, 1.5, 3.0)]
    assert near == sorted(near, reverse=True)


def test_a_projection_fools_some_and_the_less_the_more_the_two_differ():
    chance = replace(PAIR, truth_class="projection", visible_tidal_snr=0.0, merger=None)
    alike = mean_votes(chance)["Class8.6"]
    assert 0.3 < alike < mean_votes(replace(PAIR, visible_tidal_snr=0.0))["Class8.6"]
    assert mean_votes(replace(chance, colour_difference=0.6))["Class8.6"] < 0.15
    star = replace(chance, truth_class="star", size_ratio=0.0)
    assert mean_votes(star)["Class8.6"] < 0.15
    assert all(mean_votes(truth)["Class8.6"] < 0.05 for truth in (SPIRAL, ELLIPTICAL, EDGE_ON))


def test_a_group_in_contact_fools_and_is_no_merger():
    # galaxy 1919 of this survey has a like neighbour at half of its own radius, 4 has none
    fooling, alone = (
        draw_scene(1, sketch(1, index, 0.055), None, SURVEYS["sdss"], 128, native=False).truth for index in (1919, 4)
    )
    assert fooling.truth_class == "elliptical"
    assert fooling.merger is None
    assert 0.2 < fooling.separation_r90 < 1
    assert fooling.second_nucleus_snr > 20
    assert merger_opinion(fooling) > 0.3 > 0.1 > merger_opinion(alone)
