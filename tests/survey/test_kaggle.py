"""The Kaggle layout, as folder, file and zips."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from mergerscope.errors import SurveyError
from mergerscope.params import SplitParams, SurveyParams, TargetParams
from mergerscope.survey.catalog import CatalogResult, build_catalog
from mergerscope.survey.images import ImageStore
from mergerscope.survey.kaggle import VOTE_COLUMNS

IDS = ("100008", "100023", "100053", "100078")


def build(root: Path, column: str = "Class8.6") -> CatalogResult:
    return build_catalog(root, SurveyParams(), TargetParams(column=column), SplitParams())


def solutions(votes: dict[str, float]) -> str:
    lines = [",".join(["GalaxyID", *VOTE_COLUMNS])]
    for identity, merger in votes.items():
        lines.append(",".join([identity, *(str(merger) if name == "Class8.6" else "0.25" for name in VOTE_COLUMNS)]))
    return "\n".join(lines) + "\n"


@pytest.fixture
def root(maker, make_jpeg) -> Path:
    maker.root.mkdir()
    votes = dict(zip(IDS, (0.7, 0.1, 0.0, 1.0), strict=True))
    (maker.root / "training_solutions_rev1.csv").write_text(solutions(votes))
    maker.images({f"{identity}.jpg": make_jpeg(i) for i, identity in enumerate(IDS)}, "images_training_rev1")
    return maker.root


def pack(root: Path, folder: str) -> None:
    """Replace a file or folder by the zip that Kaggle gives."""
    paths = sorted((root / folder).iterdir()) if (root / folder).is_dir() else [root / folder]
    with zipfile.ZipFile(root / f"{Path(folder).stem}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.relative_to(root))
            path.unlink()
    if (root / folder).is_dir():
        (root / folder).rmdir()


def test_thirty_seven_columns_in_kaggles_order() -> None:
    assert len(VOTE_COLUMNS) == 37
    assert VOTE_COLUMNS[:4] == ("Class1.1", "Class1.2", "Class1.3", "Class2.1")
    assert VOTE_COLUMNS[-1] == "Class11.6"
    assert "Class8.6" in VOTE_COLUMNS


@pytest.mark.parametrize("pack_table", [False, True])
@pytest.mark.parametrize("pack_images", [False, True])
def test_folder_and_zip_give_the_same_catalogue(root: Path, pack_table: bool, pack_images: bool) -> None:
    plain = build(root).table
    if pack_table:
        pack(root, "training_solutions_rev1.csv")
    if pack_images:
        pack(root, "images_training_rev1")
    result = build(root)
    assert result.format == "kaggle"
    assert result.refused == []
    assert result.table.drop_columns("image").equals(plain.drop_columns("image"))
    assert result.vote_columns == VOTE_COLUMNS
    assert result.table.column_names[-37:] == list(VOTE_COLUMNS)
    first = result.table["image"][0].as_py()
    inner = "images_training_rev1/100008.jpg"
    assert first == (f"images_training_rev1.zip::{inner}" if pack_images else inner)
    with ImageStore.open(root) as store:
        assert store.read(first).startswith(b"\xff\xd8")


def test_row_without_image_and_image_without_row(root: Path, make_jpeg) -> None:
    (root / "images_training_rev1" / "100023.jpg").rename(root / "images_training_rev1" / "999.jpg")
    result = build(root)
    assert [(item.id, item.reason) for item in result.refused] == [("100023", "no-image"), ("999", "no-row")]


def test_any_of_the_columns_can_be_the_target_and_all_are_checked(root: Path) -> None:
    path = root / "training_solutions_rev1.csv"
    path.write_text(path.read_text().replace("100053,0.25", "100053,1.25"))
    result = build(root)
    assert [(item.id, item.reason, item.detail) for item in result.refused] == [
        ("100053", "vote-out-of-range", "Class1.1 is '1.25'; a vote lies in 0...1")
    ]
    with pytest.raises(SurveyError, match=r"Class1\.1 must lie above 0\.5.*highest of 3 votes is 0\.25"):
        build(root, "Class1.1")
    with pytest.raises(SurveyError, match=r"Did you mean Class8\.6"):
        build(root, "Class86")


def test_missing_parts_are_named(root: Path, tmp_path: Path) -> None:
    (root / "images_training_rev1").rename(tmp_path / "elsewhere")
    with pytest.raises(SurveyError, match=r"neither images_training_rev1 nor images_training_rev1\.zip"):
        build(root)
    (root / "training_solutions_rev1.csv").write_text("GalaxyID,Class1.1\n1,0.5\n")
    with pytest.raises(SurveyError, match=r"lacks 36 of Kaggle's 38 columns: Class1\.2"):
        build(root)


def test_zip_without_its_table_and_damaged_zip(root: Path) -> None:
    (root / "training_solutions_rev1.csv").unlink()
    with zipfile.ZipFile(root / "training_solutions_rev1.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    with pytest.raises(SurveyError, match=r"exactly one \.csv; it holds 0"):
        build(root)
    (root / "training_solutions_rev1.zip").write_bytes(b"no zip")
    with pytest.raises(SurveyError, match="cannot be read as a zip"):
        build(root)
    with zipfile.ZipFile(root / "training_solutions_rev1.zip", "w") as archive:
        archive.writestr("training_solutions_rev1.csv", solutions({"1": 0.7}) * 200)
    data = bytearray((root / "training_solutions_rev1.zip").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (root / "training_solutions_rev1.zip").write_bytes(data)
    with pytest.raises(SurveyError):
        build(root)


def test_table_bomb_is_refused(root: Path) -> None:
    (root / "training_solutions_rev1.csv").unlink()
    with zipfile.ZipFile(root / "training_solutions_rev1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("training_solutions_rev1.csv", b"0" * (8 * 2**20))
    with pytest.raises(SurveyError, match="zip-bomb"):
        build(root)


def test_votes_come_through_exactly(root: Path) -> None:
    values = np.random.default_rng(0).random(len(IDS))
    votes = dict(zip(IDS, values.tolist(), strict=True)) | {IDS[0]: 0.9}
    (root / "training_solutions_rev1.csv").write_text(solutions(votes))
    assert build(root).table["Class8.6"].to_pylist() == [votes[identity] for identity in sorted(IDS)]
