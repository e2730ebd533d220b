"""A simulated survey: same seed, same bytes; votes that a crowd could have given."""

import csv
import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mergerscope.simulate import simulate_survey
from mergerscope.simulate.scene import Truth, draw_scene
from mergerscope.simulate.votes import VOTE_COLUMNS, cast_votes

FILES = ("catalog.csv", "truth.csv", "images.zip")


@pytest.fixture(scope="module")
def survey(tmp_path_factory):
    out = tmp_path_factory.mktemp("survey")
    simulate_survey(out, galaxies=24, seed=3)
    return out


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_equal_seeds_give_equal_bytes(survey, tmp_path):
    simulate_survey(tmp_path, galaxies=24, seed=3)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (survey / name).read_bytes(), name
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_a_longer_survey_begins_with_the_shorter_one(survey, tmp_path):
    simulate_survey(tmp_path, galaxies=6, seed=3)
    assert rows(tmp_path / "catalog.csv") == rows(survey / "catalog.csv")[:6]


def test_another_seed_gives_another_sky(survey, tmp_path):
    simulate_survey(tmp_path, galaxies=2, seed=4)
    assert rows(tmp_path / "catalog.csv") != rows(survey / "catalog.csv")[:2]


def test_every_row_has_its_image_and_its_truth(survey):
    catalog, truth = rows(survey / "catalog.csv"), rows(survey / "truth.csv")
    with zipfile.ZipFile(survey / "images.zip") as images:
        assert images.namelist() == [row["filename"] for row in catalog]
        with Image.open(io.BytesIO(images.read(catalog[0]["filename"]))) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (128, 128))
    assert [row["id"] for row in catalog] == [row["id"] for row in truth]
    assert all(0 <= float(row["ra_deg"]) < 360 and -90 <= float(row["dec_deg"]) <= 90 for row in catalog)


truths = st.builds(
    Truth,
    st.sampled_from(["elliptical", "disc", "edge_on", "merger", "projection", "star"]),
    separation_px=st.floats(0, 90),
    stripped=st.floats(0, 0.5),
)


@given(truths, st.integers(0, 2**32))
def test_votes_are_fractions_that_add_up(truth, seed):
    votes = cast_votes(truth, np.random.default_rng(seed))
    assert tuple(votes) == VOTE_COLUMNS
    if None in votes.values():
        assert set(votes.values()) == {None}
        return
    assert all(0 <= vote <= 1 for vote in votes.values())
    assert votes["Class1.1"] + votes["Class1.2"] + votes["Class1.3"] == pytest.approx(1, abs=1e-5)
    assert votes["Class2.1"] + votes["Class2.2"] == pytest.approx(votes["Class1.2"], abs=1e-5)
    assert votes["Class6.1"] + votes["Class6.2"] == pytest.approx(1, abs=1e-5)
    assert votes["Class8.6"] + votes["Class8.7"] <= votes["Class6.1"] + 1e-5


def mean_vote(truth):
    votes = [cast_votes(truth, np.random.default_rng(seed))["Class8.6"] for seed in range(300)]
    return np.mean([vote for vote in votes if vote is not None])


def test_tails_convince_and_chance_companions_seldom_do():
    torn = mean_vote(Truth("merger", separation_px=15, stripped=0.15))
    fused = mean_vote(Truth("merger", separation_px=0, stripped=0.0))
    chance = mean_vote(Truth("projection", separation_px=10))
    assert torn > 0.85
    assert 0.1 < chance < fused + 0.1 < 0.4
    assert mean_vote(Truth("disc")) < 0.05


def test_a_scene_shows_something_at_its_centre():
    for seed in range(10):
        image = draw_scene(128, np.random.default_rng(seed)).image.astype(float)
        assert image[52:76, 52:76].mean() > image.mean() + 5
