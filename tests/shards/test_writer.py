from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mergerscope.errors import SurveyError, TooManyRefusedError
from mergerscope.params import ShardParams
from mergerscope.shards import writer
from mergerscope.shards.cutout import make_cutout
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_shard
from mergerscope.shards.writer import write_shards
from mergerscope.survey.records import Refusal


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Manifest]:
    def pack(survey: Any, out: str = "shards", refused: tuple[Refusal, ...] = (), **params: Any) -> Manifest:
        settings = ShardParams(**({"size": 32, "per_shard": 8, "workers": 1} | params))
        return write_shards(
            survey.catalog, survey.root, tmp_path / out, settings, refused, scratch=tmp_path / "scratch"
        )

    return pack


def test_the_same_bytes_however_many_processes(
    make_survey: Any, pack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey = make_survey(40, bad={7: b"", 20: b"\xff\xd8\xff nonsense"})
    pack(survey, "one", workers=1, max_refused=0.2)
    monkeypatch.setattr(writer, "INLINE", 0)
    pack(survey, "two", workers=2, max_refused=0.2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert not (tmp_path / "scratch").exists()


def test_every_galaxy_is_packed_or_refused(make_survey: Any, pack: Any, tmp_path: Path) -> None:
    survey = make_survey(30, bad={3: b"", 9: b"GIF89a", 10: b"\xff\xd8\xff\xe0 cut"})
    (survey.root / "images" / "g0012.jpg").unlink()  # after the catalogue was made
    by_catalog = Refusal("x", "catalog.csv:99", "catalog", "duplicate-id", "twice")
    manifest = pack(survey, refused=(by_catalog,), max_refused=0.5)

    assert manifest.refused[0] == by_catalog
    here = manifest.refused[1:]
    assert [(item.id, item.reason) for item in here] == [
        ("g0003", "empty-file"), ("g0009", "not-an-image"), ("g0010", here[2].reason), ("g0012", "no-image")
    ]  # fmt: skip
    assert {item.stage for item in here} == {"shard"}
    assert here[0].source == "images/g0003.jpg"
    assert manifest.total + len(here) == manifest.catalog_rows == 30

    packed = [key for shard in manifest.shards for key in read_shard(tmp_path / "shards", shard.name).ids]
    assert packed == [key for key in survey.catalog.ids if key not in {item.id for item in here}]
    assert Manifest.load(tmp_path / "shards" / "manifest.json") == manifest
    assert [shard.sha256 for shard in manifest.shards] == [
        contents(tmp_path / "shards")[shard.name] for shard in manifest.shards
    ]


def test_a_refusal_moves_no_galaxy_to_another_shard(make_survey: Any, pack: Any, tmp_path: Path) -> None:
    manifest = pack(make_survey(24, bad={2: b""}), max_refused=0.5)
    assert [shard.count for shard in manifest.shards] == [7, 8, 8]
    assert read_shard(tmp_path / "shards", "shard-000001.tar").ids[0] == "g0008"


def test_a_shard_holds_the_cutouts(make_survey: Any, pack: Any, tmp_path: Path) -> None:
    survey = make_survey(9)
    pack(survey, crop=0.6, size=24)
    shard = read_shard(tmp_path / "shards", "shard-000001.tar")
    assert shard.ids == ["g0008"]
    data = (survey.root / "images" / "g0008.jpg").read_bytes()
    np.testing.assert_array_equal(shard.images[0], make_cutout(data, 0.6, 24))


def test_meta_data_say_where_the_galaxy_is_and_nothing_of_votes(make_survey: Any, pack: Any, tmp_path: Path) -> None:
    pack(make_survey(9))
    members = subprocess.run(
        ["tar", "-xOf", tmp_path / "shards" / "shard-000000.tar", "g0000.meta.json", "g0003.meta.json"],
        capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    first, second = members.replace("}{", "}\n{").splitlines()
    assert json.loads(first) == {"id": "g0000", "image": "images/g0000.jpg", "ra_deg": None, "dec_deg": None}
    assert json.loads(second) == {"id": "g0003", "image": "images/g0003.jpg", "ra_deg": 0.3, "dec_deg": -0.15}


def test_a_shard_of_nothing_but_refusals_has_no_file(make_survey: Any, pack: Any, tmp_path: Path) -> None:
    manifest = pack(make_survey(24, bad=dict.fromkeys(range(8, 16), b"")), max_refused=0.5)
    assert [shard.name for shard in manifest.shards] == ["shard-000000.tar", "shard-000002.tar"]
    assert sorted(contents(tmp_path / "shards")) == ["manifest.json", "shard-000000.tar", "shard-000002.tar"]


def test_too_many_refusals_stop_the_stage(make_survey: Any, pack: Any, tmp_path: Path) -> None:
    survey = make_survey(24, bad=dict.fromkeys(range(10, 14), b""))
    (tmp_path / "shards").mkdir()
    with pytest.raises(TooManyRefusedError, match=r"(?s)4 of 24 .*max_refused.*empty-file.*refused\.csv"):
        pack(survey, max_refused=0.1)
    assert not list((tmp_path / "shards").iterdir())
    listed = (tmp_path / "scratch" / "refused.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in listed] == ["id", "g0010", "g0011", "g0012", "g0013"]
    # Raising the limit goes on from what was packed, also where that is everything.
    assert pack(survey, max_refused=0.2).total == 20


def test_refusals_of_the_catalogue_count_too(make_survey: Any, pack: Any) -> None:
    refused = tuple(Refusal(f"x{n}", "catalog.csv", "catalog", "duplicate-id", "") for n in range(6))
    with pytest.raises(TooManyRefusedError, match="6 of 30"):
        pack(make_survey(24), refused=refused, max_refused=0.1)


def test_not_one_usable_image(make_survey: Any, pack: Any) -> None:
    survey = make_survey(8)
    for path in (survey.root / "images").iterdir():
        path.write_bytes(b"")
    with pytest.raises(SurveyError, match="No image"):
        pack(survey, max_refused=1.0)


def test_the_folder_is_replaced_as_a_whole(make_survey: Any, pack: Any, tmp_path: Path) -> None:
    survey = make_survey(24)
    pack(survey, per_shard=4)
    manifest = pack(survey, per_shard=12)
    assert sorted(contents(tmp_path / "shards")) == ["manifest.json", "shard-000000.tar", "shard-000001.tar"]
    assert Manifest.load(tmp_path / "shards" / "manifest.json") == manifest


def test_images_out_of_a_zip(make_survey: Any, pack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    survey = make_survey(24)
    pack(survey, "folder")
    with zipfile.ZipFile(survey.root / "images.zip", "w") as archive:
        for path in (survey.root / "images").iterdir():
            archive.write(path, path.name)
    object.__setattr__(
        survey.catalog, "image", np.array([f"images.zip::{key}.jpg" for key in survey.catalog.ids.tolist()])
    )
    monkeypatch.setattr(writer, "INLINE", 0)
    manifest = pack(survey, "zip", workers=2)
    assert manifest.total == 24
    for shard in manifest.shards:
        np.testing.assert_array_equal(
            read_shard(tmp_path / "zip", shard.name).images, read_shard(tmp_path / "folder", shard.name).images
        )


def test_workers_load_no_torch() -> None:
    code = "import mergerscope.shards.pool, sys; sys.exit(bool({'torch', 'webdataset', 'pyarrow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
