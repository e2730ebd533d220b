"""A simulated survey: same seed, same bytes."""

import csv
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from mergerscope.simulate import simulate_survey
from mergerscope.simulate.scene import draw_scene

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


def test_a_scene_shows_something_at_its_centre():
    for seed in range(10):
        image = draw_scene(128, np.random.default_rng(seed)).image.astype(float)
        assert image[52:76, 52:76].mean() > image.mean() + 5
