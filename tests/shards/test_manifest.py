from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.shards.manifest import Manifest, ShardEntry, shard_name
from mergerscope.survey.records import Refusal

REFUSED = (
    Refusal("a", "catalog.csv:3", "catalog", "duplicate-id", "twice"),
    Refusal("b", "images/b.jpg", "shard", "truncated", "12 bytes"),
    Refusal("c", "images/c.jpg", "shard", "truncated", "13 bytes"),
)


@pytest.fixture
def manifest() -> Manifest:
    shards = (ShardEntry(shard_name(0), 3, "ab"), ShardEntry(shard_name(2), 2, "cd"))
    return Manifest((3, 8, 8), "uint8", ("red", "green", "blue"), 0.75, 7, shards, REFUSED)


def test_round_trip(manifest: Manifest, tmp_path: Path) -> None:
    manifest.save(tmp_path / "manifest.json")
    assert Manifest.load(tmp_path / "manifest.json") == manifest
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_flux_has_a_unit(manifest: Manifest, tmp_path: Path) -> None:
    flux = dataclasses.replace(
        manifest, dtype="float32", bands=("g", "r", "z"), unit="nanomaggy", missing_bands="fill", mask_bits=5
    )
    flux.save(tmp_path / "manifest.json")
    assert Manifest.load(tmp_path / "manifest.json") == flux


def test_the_file_has_the_fixed_fields(manifest: Manifest, tmp_path: Path) -> None:
    manifest.save(tmp_path / "manifest.json")
    tree = json.loads((tmp_path / "manifest.json").read_text())
    assert tree["image_shape"] == [3, 8, 8]
    assert not {"missing_bands", "mask_bits"} & set(tree)  # of flux alone
    assert tree["bands"] == ["red", "green", "blue"]
    assert tree["shards"][1] == {"name": "shard-000002.tar", "count": 2, "sha256": "cd"}
    assert tree["total"] == 5
    assert tree["refused"][0] == {
        "id": "a", "source": "catalog.csv:3", "stage": "catalog", "reason": "duplicate-id", "detail": "twice"
    }  # fmt: skip
    assert tree["reasons"] == {"truncated": 2, "duplicate-id": 1}
    assert tree["total"] + sum(item["stage"] == "shard" for item in tree["refused"]) == tree["catalog_rows"]


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="mergerscope shard"):
        Manifest.load(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("total", 6, "total 6, 5 in the shards"),
        ("catalog_rows", 9, "catalog_rows 9"),
        ("dtype", "float64", "float64"),
        ("dtype", "float32", "unit '' of float32 images; it may be 'nanomaggy' or 'count'"),
        ("unit", "count", "unit 'count' of uint8"),
        ("bands", ["red"], "red"),
        ("image_shape", [8, 8], "ValueError"),
        ("shards", [{"name": "pipe:touch hacked", "count": 5, "sha256": ""}], "pipe:touch hacked"),
        ("shards", [{"name": "../shard-000000.tar", "count": 5, "sha256": ""}], "strange names"),
        ("shards", [{"name": "shard-000000.tar", "count": 5}], "TypeError"),
        ("refused", None, "TypeError"),
        ("missing_bands", "guess", "missing_bands 'guess'"),
        ("mask_bits", -1, "mask_bits -1"),
    ],
)
def test_what_does_not_hold_together_is_told(
    manifest: Manifest, tmp_path: Path, field: str, value: Any, told: str
) -> None:
    path = tmp_path / "manifest.json"
    manifest.save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(ContractError, match=told):
        Manifest.load(path)


def test_no_json(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ContractError, match="mergerscope shard"):
        Manifest.load(tmp_path / "manifest.json")
