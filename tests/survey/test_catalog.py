"""The catalogue as a whole: counts, roles of duplicates, the file, bad surveys."""

from __future__ import annotations

import pickle
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mergerscope.errors import ContractError, MissingInputError, SurveyError
from mergerscope.params import SplitParams, SurveyParams, TargetParams
from mergerscope.survey import digests
from mergerscope.survey.catalog import CatalogResult, build_catalog, read_catalog, write_catalog
from mergerscope.survey.catalog_file import FIXED_COLUMNS
from mergerscope.survey.decode import decode_rgb
from mergerscope.survey.digests import pixel_digest, pixel_digests
from mergerscope.survey.refusals import count_reasons, read_refusals, refusals_csv
from mergerscope.survey.roles import ROLES, pictures
from mergerscope.survey.summary import describe, summarise

TARGET = TargetParams(column="p_merger")


def build(root: Path, seed: int = 1, hidden: float = 0.3333) -> CatalogResult:
    return build_catalog(root, SurveyParams(), TARGET, SplitParams(seed=seed, hidden_fraction=hidden))


def roles(result: CatalogResult) -> dict[str, str]:
    return dict(zip(result.table["id"].to_pylist(), result.table["role"].to_pylist(), strict=True))


def test_columns_and_metadata_keep_the_contract(maker, tmp_path: Path) -> None:
    result = build(maker.simple({"b": "0.9", "a": "0.2", "c": ""}))
    write_catalog(result.table, tmp_path / "catalog.parquet")
    catalog = read_catalog(tmp_path / "catalog.parquet")
    assert catalog.table.column_names == [*FIXED_COLUMNS, "p_merger"]
    assert catalog.ids.tolist() == ["a", "b", "c"]
    assert catalog.image.tolist() == ["images/a.jpg", "images/b.jpg", "images/c.jpg"]
    np.testing.assert_array_equal(catalog.vote, [0.2, 0.9, np.nan])
    np.testing.assert_array_equal(catalog.votes("p_merger"), catalog.vote)
    assert catalog.judged.tolist() == [True, True, False]
    assert catalog.known_merger.tolist() == [False, True, False]
    assert catalog.role.tolist() == ["pool", "reference", "pool"]
    assert catalog.rows("pool").tolist() == [0, 2]
    assert catalog.rows("hidden").tolist() == []
    assert np.isnan(catalog.ra_deg).all()
    assert len(set(catalog.pixel_digest)) == len(catalog) == 3
    assert catalog.vote_columns == ("p_merger",)
    assert catalog.target == {"column": "p_merger", "threshold": 0.5}
    assert catalog.survey_format == "table"
    with pytest.raises(ContractError, match="no role 'test'"):
        catalog.rows("test")
    with pytest.raises(ContractError, match="no vote column 'x'; it has p_merger"):
        catalog.votes("x")


def test_what_millions_are_read_as_says_the_same(maker, tmp_path: Path) -> None:
    result = build(maker.simple({"b": "0.9", "a": "0.2", "c": "0.8"}))
    write_catalog(result.table, tmp_path / "catalog.parquet")
    catalog = read_catalog(tmp_path / "catalog.parquet")
    some = catalog.take(np.array([0, 2]))
    assert (len(some), some.ids.tolist(), some.vote.tolist()) == (2, ["a", "c"], [0.2, 0.8])
    for each in (catalog, some, catalog.with_columns(pixel_digest=["x", "x", ""])):
        assert each.names().tolist() == [name.encode() for name in each.ids]
        assert [ROLES[code] for code in each.role_codes()] == each.role.tolist()
        np.testing.assert_array_equal(each.pictures(), pictures(each.pixel_digest))


def test_an_open_catalogue_stays_as_it_was(maker, tmp_path: Path) -> None:
    table, path = build(maker.simple({"b": "0.9", "a": "0.2"})).table, tmp_path / "catalog.parquet"
    write_catalog(table, path)
    catalog = read_catalog(path)
    write_catalog(table.slice(0, 1), path)
    assert catalog.ids.tolist() == ["a", "b"]
    assert read_catalog(path).ids.tolist() == ["a"]


def test_another_process_gets_it_whole(maker, tmp_path: Path) -> None:
    path = tmp_path / "catalog.parquet"
    write_catalog(build(maker.simple({"b": "0.9", "a": "0.2"})).table, path)
    catalog = read_catalog(path)
    handed = pickle.loads(pickle.dumps(catalog))
    path.unlink()
    assert handed.ids.tolist() == ["a", "b"]
    assert handed.table.equals(catalog.table)
    assert (handed.target, handed.vote_columns) == (catalog.target, catalog.vote_columns)


def test_a_damaged_column_is_told(maker, tmp_path: Path) -> None:
    path = tmp_path / "catalog.parquet"
    write_catalog(build(maker.simple({"b": "0.9", "a": "0.2"})).table, path)
    content = path.read_bytes()
    path.write_bytes(b"PAR1" + bytes(100) + content[104:])
    catalog = read_catalog(path)
    with pytest.raises(ContractError, match="the catalogue is damaged"):
        catalog.names()


def test_the_file_is_byte_for_byte_the_same_every_time(maker, tmp_path: Path) -> None:
    root = maker.simple({name: "0.9" if name == "a" else "0.1" for name in "abcdef"})
    write_catalog(build(root).table, tmp_path / "one.parquet")
    lines = (root / "catalog.csv").read_text().splitlines()
    (root / "catalog.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    time.sleep(0.01)
    write_catalog(build(root).table, tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    assert not list(tmp_path.glob("*.new"))


def test_a_vote_at_the_threshold_is_no_merger(maker) -> None:
    result = build(maker.simple({"a": "0.5", "b": "0.5000001"}))
    assert result.table["known_merger"].to_pylist() == [False, True]


def test_duplicate_images_share_a_role_across_file_formats(maker, make_file, make_picture) -> None:
    data = make_file(make_picture(7))
    as_png = make_file(decode_rgb(data), "PNG")
    images = {f"{i}.jpg": make_file(make_picture(100 + i)) for i in range(60)}
    # z: an unlabelled copy of merger 3; y: a copy of merger 4 that was voted down; both come first by id.
    images |= {"3.jpg": data, "00z.jpg": as_png, "00y.jpg": images["4.jpg"]}
    lines = [f"{i},{i}.jpg,{0.9 if i < 30 else 0.1}" for i in range(60)] + ["00z,00z.jpg,", "00y,00y.jpg,0.2"]
    plain = roles(build(maker.table(lines[:60], {name: images[name] for name in images if "00" not in name})))
    result = build(maker.table(lines, images))
    after = roles(result)
    assert after["00z"] == after["3"]
    assert after["00y"] == after["4"]
    assert {name: role for name, role in after.items() if "00" not in name} == plain
    duplicates = summarise(result)["duplicates"]
    assert duplicates == {
        "groups": 2, "galaxies": 4, "largest": 2, "twins_of_known_mergers": 2, "examples": [["00y", "4"], ["00z", "3"]],
    }  # fmt: skip


def test_one_known_merger_is_the_reference_and_nobody_is_hidden(maker) -> None:
    for seed in range(4):
        result = build(maker.simple({"a": "0.1", "b": "0.8", "c": ""}), seed=seed, hidden=0.9)
        assert roles(result) == {"a": "pool", "b": "reference", "c": "pool"}


@pytest.mark.parametrize(("votes", "message"), [
    ({"a": "0.47", "b": "0.1", "c": ""}, r"must lie above 0\.5, and the highest of 2 votes is 0\.47 \(galaxy a\)"),
    ({"a": "", "b": ""}, "nobody has voted"),
])  # fmt: skip
def test_no_known_merger_says_what_to_do(maker, votes: dict[str, str], message: str) -> None:
    with pytest.raises(SurveyError, match=message) as caught:
        build(maker.simple(votes))
    assert "Lower target.threshold in params.yaml" in str(caught.value)


def test_undecodable_images_stay_and_never_are_the_only_reference(maker, make_jpeg) -> None:
    good = make_jpeg(1)
    images = {"a.jpg": good[:200], "b.jpg": b"", "c.jpg": good, "d.jpg": b"no image"}
    lines = ["a,a.jpg,0.9", "b,b.jpg,0.9", "c,c.jpg,0.9", "d,d.jpg,0.1"]
    for seed in range(6):
        result = build(maker.table(lines, images), seed=seed)
        assert result.table["pixel_digest"].is_null().to_pylist() == [True, True, False, True]
        assert roles(result)["c"] == "reference"
    assert summarise(result)["undecodable"] == 3
    with pytest.raises(SurveyError, match=r"of the 2 known mergers none has.*a.jpg, was refused \(truncated\)"):
        build(maker.table(lines[:2] + lines[3:], {**images, "c.jpg": b""}))


def test_everything_refused_is_said_as_such(maker) -> None:
    with pytest.raises(SurveyError, match="nobody has voted"):
        build(maker.table(["a,a.jpg,0.9"]))


def test_digests_are_the_same_in_one_process_and_in_several(
    maker, make_jpeg: Callable[[int], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{i}.jpg" for i in range(10)]
    root = maker.table([], {name: make_jpeg(i) for i, name in enumerate(names)})
    (root / "images" / "4.jpg").write_bytes(b"")
    references = [f"images/{name}" for name in names]
    alone = pixel_digests(root, references, workers=1)
    monkeypatch.setattr(digests, "INLINE", 0)
    monkeypatch.setattr(digests, "CHUNK", 3)
    assert pixel_digests(root, references, workers=2) == alone
    assert alone[4] is None
    assert len(set(alone)) == 10
    assert pixel_digests(root, []) == []


def test_digest_sees_shape_as_well_as_bytes() -> None:
    pixels = np.zeros((2, 6, 3), np.uint8)
    assert pixel_digest(pixels) != pixel_digest(pixels.reshape(6, 2, 3))
    assert pixel_digest(pixels) == pixel_digest(pixels.copy())
    assert pixel_digest(pixels.transpose(1, 0, 2)) == pixel_digest(np.zeros((6, 2, 3), np.uint8))


def test_what_is_no_catalogue_is_told(tmp_path: Path) -> None:
    path = tmp_path / "catalog.parquet"
    with pytest.raises(MissingInputError, match="mergerscope catalog"):
        read_catalog(path)
    path.write_bytes(b"no parquet")
    with pytest.raises(ContractError, match="no catalogue"):
        read_catalog(path)
    pq.write_table(pa.table({"id": ["a"]}), path)
    with pytest.raises(ContractError, match="no catalogue"):
        read_catalog(path)
    about = b'{"vote_columns": ["x"], "target": {}, "survey_format": "table"}'
    pq.write_table(pa.table({"id": ["a"]}).replace_schema_metadata({b"mergerscope": about}), path)
    with pytest.raises(ContractError, match=r"wrong type: image, .*role, x"):
        read_catalog(path)


def test_refusals_survive_their_file(maker, tmp_path: Path) -> None:
    lines = ["a,a.jpg,0.9", '"odd, ""id""\nof two lines",b.jpg,0.1', "c.1,c.jpg,0.2", "d,d.jpg,0.1"]
    root = maker.simple({"a": "0.9"})
    result = build(maker.table(lines))
    assert root.name == "survey"
    assert count_reasons(result.refused) == {"id-characters": 1, "id-with-dot": 1, "no-image": 1}
    path = tmp_path / "refused.csv"
    path.write_text(refusals_csv(result.refused), encoding="utf-8", newline="")
    assert read_refusals(path) == result.refused
    with pytest.raises(MissingInputError):
        read_refusals(tmp_path / "none.csv")
    path.write_text("a,b\n")
    with pytest.raises(ContractError, match="must have the columns id, source"):
        read_refusals(path)


def test_the_summary_reads_as_text(maker, make_jpeg) -> None:
    images = {"a.jpg": make_jpeg(0), "b.jpg": make_jpeg(0), "c.jpg": b"", "d.jpg": make_jpeg(1)}
    lines = ["a,a.jpg,0.9,spiral", "b,b.jpg,,ring", "c,c.jpg,,", "e,e.jpg,,"]
    text = describe(summarise(build(maker.table(lines, images, header="id,filename,p_merger,kind"))))
    assert text[:-1] == [
        "3 galaxies (table): 1 known merger of 1 judged; 2 references, 0 hidden, 1 pool",
        "2 refused (1 x no-image, 1 x no-row)",
        "1 image cannot be decoded and will be refused by the shard stage",
        "2 galaxies share their image with another, in 1 group",
        "column 'kind' is left out: 'spiral' in catalog.csv:2 is no fraction in 0...1",
    ]
    assert text[-1].startswith("warning: no known merger is hidden, so nothing can be judged")


@pytest.mark.parametrize(("mergers", "fraction", "warnings"), [
    (1, 0.5, ["no known merger is hidden", "with 1 reference training cannot be validated"]),
    (9, 0.0, ["no known merger is hidden"]),
    (9, 0.999, ["with 1 reference training cannot be validated"]),
    (9, 0.5, []),
])  # fmt: skip
def test_too_few_known_mergers_are_told_with_what_to_do(maker, make_jpeg, mergers, fraction, warnings) -> None:
    images = {f"{i}.jpg": make_jpeg(i) for i in range(10)}
    lines = [f"{i},{i}.jpg,{0.9 if i < mergers else 0.1}" for i in range(10)]
    result = build(maker.table(lines, images), hidden=fraction)
    told = [line for line in describe(summarise(result)) if line.startswith("warning: ")]
    assert [line.removeprefix("warning: ").startswith(warning) for line, warning in zip(told, warnings, strict=True)] \
        == [True] * len(warnings)
    assert all("target.threshold" in line and "split.hidden_fraction" in line for line in told)


def test_what_was_taken_for_votes_and_what_was_not_is_said_once(maker, make_jpeg) -> None:
    images = {f"{name}.jpg": make_jpeg(i) for i, name in enumerate("abc")}
    header = "id,filename,p_merger,name,mag,redshift,p_ring,flag,\x1b[31mred"
    lines = ["a,a.jpg,0.9,Arp 220,17.2,0.01,0.1,1,x", "b,b.jpg,0.1,,,0.3,-99,0,y", "c,c.jpg,,n/a,inf,,0.2,,"]
    result = build(maker.table(lines, images, header=header))
    assert not result.refused
    assert result.vote_columns == ("p_merger", "redshift", "flag")
    assert describe(summarise(result))[1:-2] == [
        "taken for votes beside the target: 'redshift', 'flag'",
        "column 'name' is left out: 'Arp 220' in catalog.csv:2 is no fraction in 0...1",
        "column 'mag' is left out: '17.2' in catalog.csv:2 is no fraction in 0...1",
        "column 'p_ring' is left out: '-99' in catalog.csv:3 is no fraction in 0...1",
        "column '\\x1b[31mred' is left out: 'x' in catalog.csv:2 is no fraction in 0...1",
    ]


def test_many_vote_columns_are_not_all_named(maker, make_jpeg) -> None:
    header = "id,filename,p_merger," + ",".join(f"p_{i}" for i in range(8))
    result = build(maker.table(["a,a.jpg,0.9" + ",0.5" * 8], {"a.jpg": make_jpeg(0)}, header=header))
    (line,) = [line for line in describe(summarise(result)) if line.startswith("taken for votes")]
    assert line.endswith("'p_0', 'p_1', 'p_2', 'p_3', 'p_4' and 3 more")


def test_a_placeholder_picture_and_a_wide_table_are_told_in_few_lines(maker, make_jpeg) -> None:
    lines = [f"{i},same.jpg,{0.9 if i == 0 else 0.1}" + ",x" * 9 for i in range(30)]
    header = "id,filename,p_merger," + ",".join(f"name{i}" for i in range(9))
    summary = summarise(build(maker.table(lines, {"same.jpg": make_jpeg(0)}, header=header)))
    assert summary["duplicates"]["largest"] == 30
    assert [len(group) for group in summary["duplicates"]["examples"]] == [20]
    text = describe(summary)
    assert "30 galaxies have one and the same image: if it stands for a missing one, take those rows out" in text
    assert text[-2] == "4 more columns are left out, see results/catalog/summary.json"
    assert len(text) == 10


ROW = st.tuples(
    st.sampled_from(["a", "b", "c", "d", "e", "a.b", "", "x y", "f/g"]),
    st.sampled_from(["a.jpg", "b.jpg", "c.jpg", "d.jpg", "none.jpg", "../a.jpg", ""]),
    st.sampled_from(["0.9", "0.1", "", "1.5", "x", "nan", "0.9,extra"]),
)


@given(st.lists(ROW, max_size=12), st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_goes_in_comes_out_or_is_refused(
    survey_maker, make_jpeg, rows: list[tuple[str, str, str]], packed: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        images = {f"{name}.jpg": make_jpeg(i) for i, name in enumerate("abcd")} | {"sure.jpg": make_jpeg(9)}
        lines = [",".join(row) for row in rows] + ["sure,sure.jpg,0.99"]
        maker = survey_maker(Path(folder) / "survey")
        result = build(maker.table(lines, images, place="images.zip" if packed else "images"))
        ids = result.table["id"].to_pylist()
        assert result.rows == len(lines)
        assert result.rows + result.images_without_row == len(ids) + len(result.refused)
        assert ids == sorted(set(ids))
        found = roles(result)
        assert found["sure"] in {"reference", "hidden"}
        assert "reference" in found.values()
        # Every image was either named by a row of the right number of fields or refused for want of one.
        named = {image for _, image, vote in rows if "extra" not in vote} & images.keys()
        assert result.images_without_row == 4 - len(named - {"sure.jpg"})
