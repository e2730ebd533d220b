"""The table format: columns, places of images, and every kind of bad row."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mergerscope.errors import SurveyError, TooManyRefusedError
from mergerscope.params import SplitParams, SurveyParams, TargetParams
from mergerscope.survey.catalog import CatalogResult, build_catalog

GOOD = ["a,a.jpg,0.9", "b,b.jpg,0.1", "c,c.jpg,"]


def build(root: Path, column: str = "p_merger", survey_format: str = "auto", **settings: object) -> CatalogResult:
    survey = SurveyParams(format=survey_format)  # type: ignore[arg-type]
    return build_catalog(root, survey, TargetParams(column=column), SplitParams(), **settings)  # type: ignore[arg-type]


@pytest.fixture
def images(make_jpeg: Callable[[int], bytes]) -> dict[str, bytes]:
    return {f"{name}.jpg": make_jpeg(i) for i, name in enumerate("abc")}


def refused(result: CatalogResult) -> list[tuple[str, str]]:
    assert result.rows + result.images_without_row == result.table.num_rows + len(result.refused)
    return [(item.source, item.reason) for item in result.refused]


@pytest.mark.parametrize(("place", "reference"), [
    ("images", "images/a.jpg"), ("", "a.jpg"), ("images.zip", "images.zip::a.jpg"),
])  # fmt: skip
def test_images_in_each_place(maker, images: dict[str, bytes], place: str, reference: str) -> None:
    result = build(maker.table(GOOD, images, place=place))
    assert result.format == "table"
    assert refused(result) == []
    assert result.table["image"][0].as_py() == reference
    assert result.table["vote"].to_pylist() == [0.9, 0.1, None]
    assert result.table["judged"].to_pylist() == [True, True, False]
    assert result.table["known_merger"].to_pylist() == [True, False, False]


@pytest.mark.parametrize("filename", ["a.jpg", "images/a.jpg"])
@pytest.mark.parametrize("inner", ["", "images/"])
@pytest.mark.parametrize("packed", [True, False])
def test_file_names_may_or_may_not_name_the_folder(maker, make_jpeg, filename: str, inner: str, packed: bool) -> None:
    root = maker.table([f"a,{filename},0.9"])
    place, name = ("images.zip", f"{inner}a.jpg") if packed else ("images", "a.jpg")
    maker.images({name: make_jpeg(0)}, place)
    assert refused(build(root)) == []


def test_unpacked_images_win_over_the_zip_beside_them(maker, images: dict[str, bytes]) -> None:
    root = maker.table(GOOD, images)
    maker.images(images, "images.zip")
    result = build(root)
    assert refused(result) == []
    assert result.notes == ("images.zip was not read, for images/ is there too",)


def test_every_kind_of_bad_row_is_refused_with_its_reason(maker, images: dict[str, bytes], make_jpeg) -> None:
    header = "id,filename,p_merger,ra_deg,dec_deg"
    lines = {
        "a,a.jpg,0.9,10,20": None,
        "b,b.jpg,0.2,360,-90": None,
        "c,c.jpg,,,": None,
        "d,none.jpg,0.1,,": "no-image",
        "e,../e.jpg,0.1,,": "unsafe-path",
        "f,/etc/passwd,0.1,,": "unsafe-path",
        "g,,0.1,,": "unsafe-path",
        f"x,{'x' * 300}.jpg,0.1,,": "no-image",
        "y,y\0.jpg,0.1,,": "unsafe-path",
        "h,h.jpg,0.1": "field-count",
        "i,i.jpg,0.1,,,": "field-count",
        ",j.jpg,0.1,,": "empty-id",
        "k.1,k.jpg,0.1,,": "id-with-dot",
        "l/1,l.jpg,0.1,,": "id-with-slash",
        '"m 1",m.jpg,0.1,,': "id-characters",
        "n,n.jpg,1.5,,": "vote-out-of-range",
        "o,o.jpg,-0.5,,": "vote-out-of-range",
        "p,p.jpg,maybe,,": "vote-not-a-number",
        "q,q.jpg,0.1,400,0": "position-out-of-range",
        "r,r.jpg,0.1,0,-91": "position-out-of-range",
        "s,s.jpg,0.1,1h,0": "position-not-a-number",
        "t,t.jpg,0.1,10,": "position-incomplete",
        "u,u.jpg,0.1,,": "duplicate-id",
        "u,u2.jpg,0.8,,": "duplicate-id",
    }
    names = [line.split(",")[1] for line in lines]
    files = images | {name: make_jpeg(i) for i, name in enumerate(names) if name[:-4].isalnum() and len(name) < 9}
    del files["none.jpg"]
    files |= {"stray.jpg": make_jpeg(99), "notes.txt": b"no image", ".hidden.jpg": b"", "h.jpg": make_jpeg(98)}
    result = build(maker.table(list(lines), files, header=header))
    expected = [(f"catalog.csv:{i}", why) for i, why in enumerate(lines.values(), start=2) if why]
    # h and i had no readable row, so their images have none either.
    expected += [("images/h.jpg", "no-row"), ("images/i.jpg", "no-row"), ("images/stray.jpg", "no-row")]
    assert refused(result) == expected
    assert result.table["id"].to_pylist() == ["a", "b", "c"]
    assert result.table["ra_deg"].to_pylist() == [10, 360, None]
    assert result.table["dec_deg"].to_pylist() == [20, -90, None]
    assert (result.rows, result.images_without_row) == (len(lines), 3)


def test_bad_members_of_a_zip_are_refused(maker, make_jpeg) -> None:
    root = maker.table(["a,a.jpg,0.9", "link,link.jpg,0.1"])
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(root / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", make_jpeg(0))
        archive.writestr("../evil.jpg", make_jpeg(1))
        archive.writestr("/abs.jpg", make_jpeg(2))
        archive.writestr("bomb.jpg", bytes(5 * 2**20))
        archive.writestr(link, "/etc/passwd")
        archive.writestr("__MACOSX/._a.jpg", b"")
    assert refused(build(root)) == [
        ("catalog.csv:3", "link"),
        ("images.zip::../evil.jpg", "unsafe-path"),
        ("images.zip::/abs.jpg", "unsafe-path"),
        ("images.zip::bomb.jpg", "zip-bomb"),
    ]


def test_other_columns_are_votes_only_if_all_of_them_is(maker, images: dict[str, bytes]) -> None:
    root = maker.table(
        ["a,a.jpg,.9,0.2,spiral,587722981742084144,,1,0.3", "b,b.jpg,.1,,edge_on,,,0,1.2", "c,c.jpg,,1,,1,,,"],
        images, header="id,filename,p_merger,smooth,morphology,objid,comment,ring,redshift",
    )  # fmt: skip
    result = build(root)
    assert refused(result) == []
    assert result.vote_columns == ("p_merger", "smooth", "ring")
    assert result.table["smooth"].to_pylist() == [0.2, None, 1.0]
    assert result.ignored_columns == {
        "morphology": "'spiral' in catalog.csv:2 is no fraction in 0...1",
        "objid": "'587722981742084144' in catalog.csv:2 is no fraction in 0...1",
        "comment": "every cell is blank",
        "redshift": "'1.2' in catalog.csv:3 is no fraction in 0...1",
    }


def test_names_that_the_catalogue_needs_for_itself(maker, images: dict[str, bytes]) -> None:
    root = maker.table([f"{line},0.5,0.5" for line in GOOD], images, header="id,filename,p_merger,role,ra_deg")
    result = build(root)
    assert set(result.ignored_columns) == {"role", "ra_deg"}
    with pytest.raises(SurveyError, match="Rename it"):
        build(root, "role")


def test_parquet_is_read_like_csv(maker, images: dict[str, bytes]) -> None:
    root = maker.table(GOOD, images)
    (root / "catalog.csv").unlink()
    table = pa.table({
        "id": pa.array(["a", "b", "c"]).dictionary_encode(),
        "filename": ["a.jpg", "b.jpg", "c.jpg"],
        "p_merger": pa.array([0.9, float("nan"), None], pa.float32()),
        "is_ring": [True, None, False],
        "thumbnail": [[1], [2], None],
    })  # fmt: skip
    pq.write_table(table, root / "catalog.parquet")
    result = build(root)
    assert refused(result) == []
    assert result.table["vote"].to_pylist() == [0.9, None, None]
    assert result.table["is_ring"].to_pylist() == [1.0, None, 0.0]
    assert list(result.ignored_columns) == ["thumbnail"]


def test_integer_ids_of_a_parquet_stay_as_written_and_decimal_ones_are_refused(maker, images: dict[str, bytes]) -> None:
    root = maker.table([], images)
    (root / "catalog.csv").unlink()
    columns = {"filename": ["a.jpg", "b.jpg", "c.jpg"], "p_merger": [0.9, 0.1, None]}
    pq.write_table(pa.table({"id": [588017703996096547, 2, 3], **columns}), root / "catalog.parquet")
    assert build(root).table["id"].to_pylist() == ["2", "3", "588017703996096547"]
    pq.write_table(pa.table({"id": [1.5, 2.5, 3.5], **columns}), root / "catalog.parquet")
    with pytest.raises(TooManyRefusedError, match=r"3 x id-with-dot, first catalog\.parquet:1: '1\.5'"):
        build(root, max_refused=0.5)


def test_target_that_is_missing_names_near_columns(maker, images: dict[str, bytes]) -> None:
    root = maker.table(GOOD, images)
    with pytest.raises(SurveyError, match=r"no column 'p_mergers'.*target\.column.*Did you mean p_merger\?"):
        build(root, "p_mergers")
    with pytest.raises(SurveyError, match=r"Its columns: id, filename, p_merger"):
        build(root, "Class8.6")


def test_target_without_a_single_number(maker, images: dict[str, bytes]) -> None:
    root = maker.table(["a,a.jpg,spiral", "b,b.jpg,"], images)
    with pytest.raises(SurveyError, match=r"holds no votes but 'spiral' in catalog\.csv:2"):
        build(root)


@pytest.mark.parametrize(("header", "message"), [
    ("ID,filename,p_merger", "no column 'id'.*Rename 'ID'"),
    ("id,file_name,p_merger", "no column 'filename'.*Rename 'file_name'"),
    ("id;filename;p_merger", "separated by commas"),
    ("id,filename,p_merger,p_merger", "more than once: p_merger"),
])  # fmt: skip
def test_headers_that_do_not_do(maker, header: str, message: str) -> None:
    with pytest.raises(SurveyError, match=message):
        build(maker.table([], header=header))


def test_encodings(maker, images: dict[str, bytes]) -> None:
    root = maker.table(GOOD, images)
    text = "\r\n".join(["id,filename,p_merger,name", *(f"{line},Antenn\u00e6" for line in GOOD), ""])
    (root / "catalog.csv").write_bytes(text.encode("utf-8-sig"))
    assert build(root).table["id"].to_pylist() == ["a", "b", "c"]
    (root / "catalog.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(SurveyError, match=r"not UTF-8 \(byte 0xe6 .*Save it as UTF-8"):
        build(root)
    (root / "catalog.csv").write_bytes(text.encode("utf-16"))
    with pytest.raises(SurveyError, match="not UTF-8"):
        build(root)


@pytest.mark.parametrize(("text", "message"), [
    (b"", "is empty"),
    (b"id,filename,p_merger\n", "no rows"),
    (b"id,filename,p_merger\n\n\n", "no rows"),
    (b'id,filename,p_merger\na,a.jpg,0.9\nb,"b.jpg,0.1\nc,c.jpg,0.1\n', "breaks off after line 2.*stray quote"),
    (b"id,filename,p_merger\na," + b"x" * 200_000 + b",0.9\n", "breaks off after line 1"),
])  # fmt: skip
def test_tables_that_cannot_be_read(maker, images: dict[str, bytes], text: bytes, message: str) -> None:
    root = maker.table(GOOD, images)
    (root / "catalog.csv").write_bytes(text)
    with pytest.raises(SurveyError, match=message):
        build(root)


def test_broken_parquet(maker) -> None:
    root = maker.table([])
    (root / "catalog.csv").unlink()
    (root / "catalog.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SurveyError, match="as Parquet"):
        build(root)


def test_formats_are_told_apart(maker, tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match=r"no folder.*survey\.root"):
        build(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SurveyError, match=r"Expected one of kaggle: .* Found: nothing"):
        build(tmp_path / "empty")
    root = maker.table(GOOD)
    (root / "training_solutions_rev1.csv").write_text("GalaxyID\n")
    with pytest.raises(SurveyError, match=r"several formats.*survey\.format"):
        build(root)
    (root / "catalog.parquet").write_bytes(b"")
    with pytest.raises(SurveyError, match=r"both catalog\.csv and catalog\.parquet"):
        build(root, survey_format="table")


def test_too_many_refused_lists_the_commonest_reasons(maker, images: dict[str, bytes]) -> None:
    root = maker.table([*GOOD, "d,d.jpg,0.1", "e,e.jpg,0.1", "f.1,f.jpg,0.1"], images)
    with pytest.raises(TooManyRefusedError) as caught:
        build(root, max_refused=0.4)
    message = str(caught.value)
    assert "3 of 6 inputs" in message
    assert "shard.max_refused in params.yaml allows 40.0%" in message
    assert message.index("2 x no-image, first catalog.csv:5") < message.index("1 x id-with-dot")
    assert build(root, max_refused=0.5).table.num_rows == 3
