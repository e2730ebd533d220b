"""The stage: what it writes, that it repeats, and how it fails."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mergerscope.errors import SurveyError, TooManyRefusedError
from mergerscope.params import Params, parse_params
from mergerscope.paths import Paths
from mergerscope.stages.catalog import run
from mergerscope.survey.catalog import read_catalog
from mergerscope.survey.refusals import read_refusals


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    images = tmp_path / "sky" / "images"
    images.mkdir(parents=True)
    lines = ["id,filename,ra_deg,dec_deg,p_merger,smooth"]
    for i in range(30):
        pixels = np.random.default_rng(i).integers(0, 255, (16, 16, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG")
        (images / f"{i}.jpg").write_bytes(buffer.getvalue())
        lines.append(f"{i},{i}.jpg,{10 + i},-5,{0.9 if i < 9 else 0.1},0.4")
    lines.append("30,30.jpg,1,1,0.2,0.3")
    (tmp_path / "sky" / "catalog.csv").write_text("\n".join(lines))
    return Paths(tmp_path)


def params(**blocks: dict[str, object]) -> Params:
    return parse_params({"survey": {"root": "sky"}, "target": {"column": "p_merger"}, **blocks})


def digests(paths: Paths) -> dict[str, str]:
    files = [paths.catalog, *sorted(paths.catalog_report.iterdir())]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_it_writes_catalogue_summary_and_refusals_and_repeats(paths: Paths) -> None:
    run(paths, params())
    first = digests(paths)
    assert list(first) == ["catalog.parquet", "refused.csv", "summary.json"]
    catalog = read_catalog(paths.catalog)
    summary = json.loads((paths.catalog_report / "summary.json").read_text())
    refused = read_refusals(paths.catalog_report / "refused.csv")
    assert [(item.id, item.source, item.stage, item.reason) for item in refused] == [
        ("30", "catalog.csv:32", "catalog", "no-image")
    ]
    assert summary["rows"] + summary["images_without_row"] == summary["galaxies"] + summary["refused"] == 31
    assert summary["galaxies"] == len(catalog) == sum(summary["roles"].values()) == 30
    assert summary["roles"] == {role: len(catalog.rows(role)) for role in ("reference", "hidden", "pool")}
    assert summary["reasons"] == {"no-image": 1}
    assert summary["known_mergers"] == 9
    assert summary["with_position"] == 30
    assert summary["vote_columns"] == ["p_merger", "smooth"]
    run(paths, params())
    assert digests(paths) == first


def test_too_many_refused_stops_and_leaves_the_old_catalogue(paths: Paths) -> None:
    run(paths, params())
    first = digests(paths)
    with pytest.raises(TooManyRefusedError, match=r"1 of 31 .*\n  1 x no-image, first catalog\.csv:32"):
        run(paths, params(shard={"max_refused": 0.01}))
    assert digests(paths) == first


def test_absolute_root_and_missing_root(paths: Paths, tmp_path: Path) -> None:
    run(paths, params(survey={"root": str(tmp_path / "sky"), "format": "table"}))
    assert paths.catalog.is_file()
    with pytest.raises(SurveyError, match=r"survey\.root"):
        run(paths, params(survey={"root": "elsewhere"}))
