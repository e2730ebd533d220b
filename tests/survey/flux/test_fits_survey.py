"""Folders of FITS files as surveys: with labels, with a table, and what is refused on the way to the shards."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mergerscope.errors import SurveyError
from mergerscope.params import ShardParams, SurveyParams
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_images
from mergerscope.shards.writer import write_shards
from mergerscope.survey.catalog import Catalog, CatalogResult
from mergerscope.survey.summary import describe, summarise

NMGY = {"BUNIT": "nanomaggy"}


def pack(result: CatalogResult, catalog: Catalog, root: Path, out: Path, size: int = 16, **more: Any) -> Manifest:
    params = ShardParams(size=size, crop=1.0, workers=1, max_refused=1.0)
    return write_shards(catalog, root, out / "shards", params, result.refused, scratch=out / "scratch", **more)


def metas(folder: Path) -> dict[str, Any]:
    found = {}
    for path in folder.glob("*.tar"):
        with tarfile.open(path) as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None and member.name.endswith(".meta.json"):
                    meta = json.loads(content.read())
                    found[meta["id"]] = meta
    return found


def reasons(refused: Any) -> dict[str, str]:
    return {one.id: one.reason for one in refused}


def test_files_and_labels(made: Any, tmp_path: Path) -> None:
    root = made.write(tmp_path / "survey", {
        "images/a.fits": made.several_bands(made.flux(1), **NMGY, **made.sky(10.0, 20.0), EBV=0.03),
        "images/b_g.fits": made.one_band(made.flux(2)[0], **NMGY),
        "images/b_r.fits": made.one_band(made.flux(2)[1], **NMGY),
        "images/b_z.fits": made.one_band(made.flux(2)[2], **NMGY),
        "images/sub/c.fits.gz": made.several_bands(made.flux(3), **NMGY),
        "images/notes.txt": "nothing",
        "labels.csv": "id,merger,ra_deg,dec_deg\na,1,,\nb,0,30,-5\nnobody,1,,\nc,2,,\n",
    })  # fmt: skip
    result = made.build(root)
    catalog = made.catalog(result, tmp_path)
    assert result.format == catalog.survey_format == "fits"
    assert catalog.ids.tolist() == ["a", "b"]
    assert catalog.image.tolist() == ["images/a.fits", "images/b_{g,r,z}.fits"]
    np.testing.assert_allclose(catalog.ra_deg, [10, 30])
    np.testing.assert_array_equal(catalog.ebv, [0.03, np.nan])
    assert catalog.flux is not None
    assert (catalog.flux.bands, catalog.flux.unit) == (("g", "r", "z"), "nanomaggy")
    assert reasons(result.refused) == {"nobody": "no-image", "c": "vote-out-of-range"}
    assert result.rows + result.images_without_row == len(catalog) + len(result.refused)
    assert "flux in g, r, z, in nanomaggies a pixel" in describe(summarise(result))

    manifest = pack(result, catalog, root, tmp_path)
    assert (manifest.dtype, manifest.unit, manifest.bands) == ("float32", "nanomaggy", ("g", "r", "z"))
    assert manifest.total == 2
    meta = metas(tmp_path / "shards")["a"]
    assert (meta["ebv"], meta["masked_fraction"], meta["missing_bands"]) == (0.03, 0.0, [])


def test_an_unlabelled_galaxy_is_unknown(made: Any, tmp_path: Path) -> None:
    root = made.write(tmp_path / "survey", {
        "a.fits": made.one_band(made.flux(1)[0]), "b.fits": made.one_band(made.flux(2)[0]),
        "labels.csv": "id,merger,other\na,1,0.5\n",
    })  # fmt: skip
    catalog = made.catalog(made.build(root), tmp_path)
    assert catalog.judged.tolist() == [True, False]
    np.testing.assert_array_equal(catalog.votes("other"), [0.5, np.nan])


def test_without_a_table_the_error_says_what_is_needed(made: Any, tmp_path: Path) -> None:
    root = made.write(tmp_path / "survey", {"a.fits": made.one_band(made.flux(1)[0])})
    with pytest.raises(SurveyError, match=r"put a labels.csv there with the columns `id` and `merger`"):
        made.build(root)


def test_a_table_of_fits_files(made: Any, tmp_path: Path) -> None:
    root = made.write(tmp_path / "survey", {
        "images/a.fits": made.several_bands(made.flux(1), **NMGY, **made.sky(10.0, 20.0)),
        "images/b_gband.fits": made.one_band(made.flux(2)[0], **NMGY),
        "images/b_rband.fits": made.one_band(made.flux(2)[1], **NMGY),
        "images/b_zband.fits": made.one_band(made.flux(2)[2], **NMGY),
        "images/left.fits": made.one_band(made.flux(3)[0]),
        "images/z.jpg": b"\xff\xd8\xff",
        "catalog.csv": "id,filename,merger,ebv,ra_deg,dec_deg\n1,a.fits,1,0.2,,\n2,b,0,,1,2\n3,b_{g}band.fits,0,,,\n"
                       "4,z.jpg,0,,,\n5,gone.fits,0,,,\n6,../a.fits,0,,,\n7,a.fits,0,-1,,\n",
    })  # fmt: skip
    result = made.build(root)
    catalog = made.catalog(result, tmp_path)
    assert result.format == "table"
    assert dict(zip(catalog.ids.tolist(), catalog.image.tolist(), strict=True)) == {
        "1": "images/a.fits", "2": "images/b_{g,r,z}band.fits", "3": "images/b_gband.fits",
    }  # fmt: skip
    assert reasons(result.refused) == {
        "4": "not-fits", "5": "no-image", "6": "unsafe-path", "7": "reddening", "left": "no-row",
    }  # fmt: skip
    np.testing.assert_allclose(catalog.ra_deg, [10, 1, np.nan])
    np.testing.assert_array_equal(catalog.ebv, [0.2, np.nan, np.nan])
    assert result.vote_columns == ("merger",)
    manifest = pack(result, catalog, root, tmp_path)
    assert reasons(manifest.refused)["3"] == "missing-band"
    assert manifest.total == 2


def test_a_table_without_file_names_finds_them_by_id(made: Any, tmp_path: Path) -> None:
    root = made.write(tmp_path / "survey", {
        "a_g.fits": made.one_band(made.flux(1)[0]), "a_r.fits": made.one_band(made.flux(1)[1]),
        "catalog.csv": "id,merger\na,1\n",
    })  # fmt: skip
    result = made.build(root, survey=SurveyParams(format="fits"))
    assert made.catalog(result, tmp_path).image.tolist() == ["a_{g,r}.fits"]


def test_a_zip_of_fits_files(made: Any, tmp_path: Path) -> None:
    import zipfile

    root = made.write(tmp_path / "survey", {"labels.csv": "id,merger\na,1\n"})
    with zipfile.ZipFile(root / "images.zip", "w") as archive:
        for band, plane in zip("gr", made.flux(1)[:2], strict=True):
            archive.writestr(f"in/a_{band}.fits", made.one_band(plane))
        archive.writestr("../b.fits", made.one_band(plane))
    result = made.build(root)
    catalog = made.catalog(result, tmp_path)
    assert catalog.image.tolist() == ["images.zip::in/a_{g,r}.fits"]
    assert reasons(result.refused) == {"b": "unsafe-path"}
    assert pack(result, catalog, root, tmp_path).total == 1


def test_missing_bands_are_refused_or_filled(made: Any, tmp_path: Path) -> None:
    planes = made.flux(2)
    unseen = planes.copy()
    unseen[1] = np.nan
    root = made.write(tmp_path / "survey", {
        "a.fits": made.several_bands(made.flux(1), **NMGY),
        "b.fits": made.several_bands(planes[:2], "gz", **NMGY),
        "c.fits": made.several_bands(unseen, **NMGY),
        "d.fits": made.several_bands(np.full_like(planes, np.nan), **NMGY),
        "e.fits": made.several_bands(made.flux(5), **NMGY),
        "labels.csv": "id,merger\na,1\n",
    })  # fmt: skip
    result = made.build(root)
    catalog = made.catalog(result, tmp_path)
    refused = pack(result, catalog, root, tmp_path / "refuse")
    assert reasons(refused.refused) == {"b": "missing-band", "c": "missing-band", "d": "all-masked"}
    filled = pack(result, catalog, root, tmp_path / "fill", missing_bands="fill")
    assert reasons(filled.refused) == {"d": "all-masked"}
    images = read_images(tmp_path / "fill" / "shards", filled, ["a", "b", "c"])
    assert not images[1:, 1].any()
    assert images[1:, [0, 2]].any()
    meta = metas(tmp_path / "fill" / "shards")
    assert [meta[key]["missing_bands"] for key in "abc"] == [[], ["r"], ["r"]]
    assert [meta[key]["masked_fraction"] for key in "abc"] == [0, 0, 0]


def test_counts_among_nanomaggies_are_refused(made: Any, tmp_path: Path) -> None:
    root = made.write(tmp_path / "survey", {
        "a.fits": made.several_bands(made.flux(1), **NMGY), "b.fits": made.several_bands(made.flux(2)),
        "labels.csv": "id,merger\na,1\n",
    })  # fmt: skip
    result = made.build(root)
    refused = pack(result, made.catalog(result, tmp_path), root, tmp_path).refused
    assert reasons(refused) == {"b": "unit"}
    again = made.build(root, zero_point=25.0)
    assert pack(again, made.catalog(again, tmp_path), root, tmp_path / "again").total == 2


def test_bad_files_are_refused_one_by_one_and_the_counts_hold(made: Any, tmp_path: Path) -> None:
    whole = made.several_bands(made.flux(9), **NMGY)
    files = {f"good{i}.fits": made.several_bands(made.flux(i), **NMGY) for i in range(4)}
    files |= {
        "cut.fits": whole[: len(whole) // 2], "empty.fits": b"", "text.fits": b"hello",
        "u_g.fits": whole, "u_g.fits.gz": whole, "two.dots.fits": whole,
        "twin/good0.fits": whole, "small.fits": made.several_bands(made.flux(1, 3, 4, 4), **NMGY),
        "labels.csv": "id,merger\ngood1,1\ncut,0\n",
    }  # fmt: skip
    root = made.write(tmp_path / "survey", files)
    result = made.build(root)
    catalog = made.catalog(result, tmp_path)
    manifest = pack(result, catalog, root, tmp_path)
    assert reasons(manifest.refused) == {
        "cut": "truncated", "empty": "empty-file", "text": "not-fits", "u": "duplicate-band", "two.dots": "id-with-dot",
        "good0": "duplicate-id", "small": "too-small",
    }  # fmt: skip
    assert result.rows == 11
    assert result.rows == manifest.total + len(manifest.refused)


def test_equal_flux_is_one_galaxy(made: Any, tmp_path: Path) -> None:
    planes = made.flux(1)
    root = made.write(tmp_path / "survey", {
        "a.fits": made.several_bands(planes, **NMGY),
        "b_g.fits": made.one_band(planes[0], **NMGY), "b_r.fits": made.one_band(planes[1], **NMGY),
        "b_z.fits": made.one_band(planes[2], **NMGY), "c.fits": made.several_bands(made.flux(2), **NMGY),
        "labels.csv": "id,merger\na,1\n",
    })  # fmt: skip
    result = made.build(root)
    catalog = made.catalog(result, tmp_path)
    assert catalog.pixel_digest[0] == catalog.pixel_digest[1] != catalog.pixel_digest[2]
    assert catalog.role.tolist() == ["reference", "reference", "pool"]
    assert summarise(result)["duplicates"]["groups"] == 1


def test_a_replaced_file_is_packed_anew(made: Any, tmp_path: Path) -> None:
    root = made.write(tmp_path / "survey", {
        "a.fits": made.several_bands(made.flux(1), **NMGY), "labels.csv": "id,merger\na,1\n",
    })  # fmt: skip
    first = made.build(root)
    made.write(root, {"a.fits": made.several_bands(made.flux(1), BUNIT="nJy")})
    second = made.build(root)
    assert first.table["pixel_digest"] != second.table["pixel_digest"]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_same_bytes_by_any_number_of_processes(made: Any, tmp_path: Path, workers: int) -> None:
    pytest.importorskip("galsim")
    from mergerscope.simulate.write import Recipe, simulate_survey

    root = tmp_path / "survey"
    simulate_survey(root, 6, Recipe(seed=3, survey="legacy", file_format="fits", side_px=48, merger_fraction=0.5))
    from mergerscope.params import TargetParams

    result = made.build(root, target=TargetParams(column="Class8.6", threshold=0.0))
    catalog = made.catalog(result, tmp_path)
    assert catalog.flux is not None
    assert catalog.flux.bands == ("g", "r", "z")
    params = ShardParams(size=48, crop=1.0, per_shard=2, workers=workers, max_refused=0.0)
    manifest = write_shards(catalog, root, tmp_path / "s", params, [], scratch=tmp_path / "scratch")
    assert manifest.total == 6
    from astropy.io import fits

    read = read_images(tmp_path / "s", manifest, catalog.ids.tolist())
    for image, name in zip(read, catalog.image.tolist(), strict=True):
        with fits.open(root / name) as hdus:
            # not cropped and not scaled: identical, but for rows that go down
            np.testing.assert_array_equal(image, [hdu.data[::-1] for hdu in hdus[1:]])
            assert hdus[0].header["EBV"] == catalog.ebv[catalog.ids.tolist().index(hdus[0].header["OBJECT"])]


def test_bad_labels_are_refused_one_by_one(made: Any, tmp_path: Path) -> None:
    files = {f"{name}.fits": made.one_band(made.flux(i)[0]) for i, name in enumerate("abcd")}
    lines = ["id,merger,ra_deg,dec_deg,ebv", "a,1,,,", "b,0,,,", "b,1,,,", "c,0,400,0,", "d,0", "d,1,1,1,99", "e,1,,,"]
    root = made.write(tmp_path / "survey", files | {"labels.csv": "\n".join(lines) + "\n"})
    result = made.build(root)
    assert [(one.id, one.source, one.reason) for one in result.refused] == [
        ("b", "labels.csv:4", "duplicate-id"), ("c", "labels.csv:5", "position-out-of-range"),
        ("d", "labels.csv:7", "reddening"), ("", "labels.csv:6", "field-count"), ("e", "labels.csv:8", "no-image"),
    ]  # fmt: skip
    assert result.table["id"].to_pylist() == ["a"]
    assert result.rows == 6
