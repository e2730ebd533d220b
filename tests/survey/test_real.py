"""The readers on real Galaxy Zoo images, where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mergerscope.params import SplitParams, SurveyParams, TargetParams
from mergerscope.survey.catalog import build_catalog
from mergerscope.survey.summary import summarise

pytestmark = pytest.mark.real


@pytest.fixture
def real() -> Path:
    folder = os.environ.get("MERGERSCOPE_REAL_DATA")
    if not folder:
        pytest.skip("MERGERSCOPE_REAL_DATA is not set")
    return Path(folder)


def test_table_of_real_images(real: Path) -> None:
    summary = summarise(build_catalog(real, SurveyParams(), TargetParams(column="p_merger"), SplitParams()))
    assert (summary["format"], summary["galaxies"], summary["refused"]) == ("table", 4532, 0)
    assert (summary["judged"], summary["known_mergers"], summary["undecodable"]) == (1000, 109, 0)
    assert summary["vote_columns"] == ["p_merger"]


def test_genuine_kaggle_rows(real: Path) -> None:
    root = real / "kaggle_sample"
    summary = summarise(build_catalog(root, SurveyParams(), TargetParams(column="Class8.6", threshold=0.1),
                                      SplitParams()))  # fmt: skip
    assert (summary["format"], summary["galaxies"], summary["refused"]) == ("kaggle", 100, 0)
    assert len(summary["vote_columns"]) == 37
