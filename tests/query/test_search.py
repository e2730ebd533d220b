"""The whole verb on a small survey."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from PIL import Image

from mergerscope import cli
from mergerscope.errors import ContractError, MissingInputError, QueryError
from mergerscope.query.request import Request
from mergerscope.query.run import run
from mergerscope.search.moments import pool_moments
from mergerscope.search.store import EmbeddingStore
from mergerscope.survey.catalog_file import read_catalog


def lines(folder):
    with (folder / "similar.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def cosines(paths, names):
    store = EmbeddingStore.open(paths.embeddings)
    moments = pool_moments(store)
    white = (store.rows(range(store.size)) - moments.mean) @ moments.whitening
    white /= np.linalg.norm(white, axis=1, keepdims=True)
    return store, white @ white[store.index_of(names)].T


def test_the_most_similar_come_first_and_the_query_is_not_among_them(search, embedded):
    out = search(ids=("g00003",), top=10)
    store, cosine = cosines(embedded, ["g00003"])
    order = [name for name in store.ids[np.argsort(-cosine[:, 0])] if name != "g00003"]
    found = lines(out)
    assert [line["id"] for line in found] == order[:10]
    assert [int(line["rank"]) for line in found] == list(range(1, 11))
    for line in found:
        assert float(line["similarity"]) == pytest.approx(cosine[store.index_of([line["id"]])[0], 0], abs=1e-4)


def test_several_ids_are_one_set_by_the_half_that_a_galaxy_is_most_like(search, embedded):
    asked = ("g00003", "g00005", "g00003", "g00008", "g00011")
    found = lines(search(ids=asked, top=59))
    names = list(dict.fromkeys(asked))
    store, cosine = cosines(embedded, names)
    score = np.sort(cosine, axis=1)[:, -2:].mean(axis=1)
    assert [line["id"] for line in found] == [name for name in store.ids[np.argsort(-score)] if name not in asked]
    for line in found:
        assert line["nearest_query"] == names[cosine[store.index_of([line["id"]])[0]].argmax()]


def test_parquet_and_csv_tell_the_same(search):
    out = search(ids=("g00003",), top=5)
    table = pq.read_table(out / "similar.parquet").to_pylist()
    for row, line in zip(table, lines(out), strict=True):
        assert row.keys() == line.keys()
        for name, text in line.items():
            if isinstance(row[name], float):
                assert row[name] == pytest.approx(float(text), rel=1e-6)
            else:
                assert text == ("" if row[name] is None else str(row[name]))


def test_the_sheet_is_a_picture_and_no_unfinished_file_is_left(search):
    out = search(ids=("g00003",), top=12)
    assert {path.name for path in out.iterdir()} == {"similar.csv", "similar.parquet", "similar.png"}
    with Image.open(out / "similar.png") as sheet:
        assert min(sheet.size) > 300


def test_a_picture_of_the_survey_finds_itself(search, embedded, tmp_path):
    picture = embedded.root / "data" / "images" / "g00007.png"
    (first, *_) = lines(search(images=(picture,), field=1.0, top=3, out=tmp_path / "here"))
    assert (first["id"], first["nearest_query"]) == ("g00007", "g00007.png")
    assert float(first["similarity"]) > 0.999


def test_a_wider_picture_finds_itself_by_the_field_that_was_kept(search, embedded, tmp_path):
    with Image.open(embedded.root / "data" / "images" / "g00007.png") as image:
        wide = Image.new("RGB", (2 * image.width, 2 * image.height), (8, 8, 8))
        wide.paste(image, (image.width // 2, image.height // 2))
    wide.save(tmp_path / "wide.png")
    out = search(images=(tmp_path / "wide.png",), top=60, out=tmp_path / "several")
    (likeness,) = [float(line["similarity"]) for line in lines(out) if line["id"] == "g00007"]
    named = lines(search(images=(tmp_path / "wide.png",), field=0.5, top=1, out=tmp_path / "named"))
    assert (named[0]["id"], float(named[0]["similarity"])) == ("g00007", pytest.approx(1, abs=0.02))
    assert likeness < float(named[0]["similarity"]), "the mean over several fields"


def test_a_position_finds_its_galaxy_and_tells_how_far_it_is(search, embedded, capsys):
    catalog = read_catalog(embedded.catalog)
    row = list(catalog.ids).index("g00004")
    by_id = lines(search(ids=("g00004",), top=5))
    where = f"{catalog.ra_deg[row]} {catalog.dec_deg[row] + 1 / 3600}"
    assert lines(search(positions=(where,), top=5)) == by_id
    assert "is galaxy g00004, 1.00 arcsec away" in capsys.readouterr().err


def test_a_folder_with_bad_pictures_counts_them(search, embedded, tmp_path, capsys):
    folder = tmp_path / "targets"
    folder.mkdir()
    for number in (1, 2):
        name = f"g0000{number}.png"
        (folder / name).write_bytes((embedded.root / "data" / "images" / name).read_bytes())
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short")
    out = search(images=(folder,), field=1.0, top=4)
    said = capsys.readouterr().err
    assert "cut.jpg is left out (" in said
    assert "2 pictures are used and 1 are not" in said
    with (out / "refused.csv").open() as file:
        assert [line["id"] for line in csv.DictReader(file)] == ["cut"]
    search(ids=("g00001",))
    assert not (out / "refused.csv").exists()


def test_fewer_galaxies_than_asked_for(search):
    assert len(lines(search(ids=("g00001",), top=1000))) == 59


@pytest.mark.parametrize(("asked", "message"), [
    ({"ids": ("g99999",)}, "g99999 is no galaxy of the survey, whose ids are like g00000"),
    ({"positions": ("400 3",)}, "right ascension lies in"),
    ({"ids": ("g00001",), "images": ("nowhere.jpg",)}, "no-image"),
])  # fmt: skip
def test_what_is_not_there_is_an_error_and_writes_nothing(search, embedded, asked, message, tmp_path):
    if "images" in asked:
        asked = {**asked, "images": (tmp_path / "nowhere.jpg",)}
    with pytest.raises(QueryError, match=message):
        search(**asked)
    assert not embedded.search_results.exists()


def test_a_galaxy_without_an_embedding_is_told_from_one_that_is_not_there(search, embedded):
    (embedded.embeddings / "shard-000001.npy").unlink()
    path = embedded.embeddings / "meta.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(meta | {"total": 40}), encoding="utf-8")
    with pytest.raises(QueryError, match="g00059 is in the catalogue and has no embedding"):
        search(ids=("g00059",))


def test_pictures_need_the_model_that_made_the_embeddings(search, embedded, params):
    picture = (embedded.root / "data" / "images" / "g00007.png",)
    path = embedded.embeddings / "meta.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    changed = json.loads(json.dumps(meta))
    changed["model"]["weights_sha256"] = "0" * 64
    path.write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(ContractError, match="made by the weights 000000000000"):
        search(images=picture)
    path.write_text(json.dumps(meta | {"origin": {"name": "zoobot"}}), encoding="utf-8")
    with pytest.raises(ContractError, match=r"imported \(zoobot\)"):
        search(images=picture)
    search(ids=("g00001",))


def test_shards_of_flux_and_a_catalogue_of_pictures_do_not_go_together(embedded, params, monkeypatch):
    text = embedded.manifest.read_text(encoding="utf-8")
    embedded.manifest.write_text(text.replace('"uint8"', '"float32"'), encoding="utf-8")
    # whether shards may hold flux is for the manifest to say
    monkeypatch.setattr("mergerscope.shards.manifest.Manifest._problem", lambda self, total: "")
    with pytest.raises(ContractError, match="the catalogue is of something else"):
        run(embedded, params, Request(images=(embedded.root / "data" / "images" / "g00007.png",)))


def test_before_embed(embedded, search):
    (embedded.embeddings / "meta.json").unlink()
    with pytest.raises(MissingInputError, match="mergerscope embed"):
        search(ids=("g00001",))


@pytest.mark.parametrize("kind", ["ivf", "hnsw"])
def test_an_index_gives_the_same_list_and_tells_its_recall(search, kind, capsys, tmp_path):
    exact = lines(search(ids=("g00003", "g00009"), top=8))
    built = lines(search(ids=("g00003", "g00009"), top=8, index=kind, out=tmp_path / "built"))
    assert f"index {kind}, built in" in (said := capsys.readouterr().err)
    assert "% of the 60 galaxies nearest to one" in said
    again = lines(search(ids=("g00003", "g00009"), top=8, index=kind, out=tmp_path / "again"))
    assert f"index {kind}, of an earlier search" in capsys.readouterr().err
    assert [line["id"] for line in built] == [line["id"] for line in again] == [line["id"] for line in exact]


def test_the_command_line(embedded, monkeypatch):
    (embedded.root / "params.yaml").write_text(
        "embed: {views: 1, device: cpu}\nshard: {size: 32, crop: 1.0}\n", encoding="utf-8"
    )
    monkeypatch.chdir(embedded.root)
    done = CliRunner().invoke(cli.cli, ["search", "--id", "g00003", "--top", "3"])
    assert done.exit_code == 0, done.output
    assert "similar.csv" in done.output
    found = [line["id"] for line in lines(embedded.search_results)]
    assert all(name in done.output for name in found)
    nothing = CliRunner().invoke(cli.cli, ["search", "--top", "3"])
    assert nothing.exit_code == 2
    assert "--id, --image or --position" in nothing.output


def test_ids_that_look_like_markup_are_shown(capsys):
    import pyarrow as pa
    from rich.console import Console

    from mergerscope.query.table import as_text

    table = pa.table({
        "rank": [1], "id": ["[red]"], "ra_deg": pa.array([None], pa.float64()),
        "dec_deg": pa.array([None], pa.float64()), "similarity": [0.5], "nearest_query": ["q"], "vote": [0.5],
    })  # fmt: skip
    text = io.StringIO()
    Console(file=text, width=100).print(as_text(table, 1))
    assert "[red]" in text.getvalue()
    assert "ra dec" not in text.getvalue()
