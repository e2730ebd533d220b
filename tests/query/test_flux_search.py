"""FITS files as queries in a survey of flux, made up and real."""

from __future__ import annotations

import csv
import gzip
import io
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from mergerscope.errors import ContractError, QueryError
from mergerscope.params import parse_params
from mergerscope.query.request import Request
from mergerscope.query.run import run
from mergerscope.shards.manifest import Manifest

PIXEL = 0.262
SIDE = 48


def galaxy(number: int, side: int = SIDE, pixel: float = PIXEL) -> np.ndarray:
    """(3, side, side) nanomaggies a pixel of a galaxy with a companion, seen in pixels of ``pixel`` arcsec; rows up."""
    rng = np.random.default_rng(number)
    y, x = (np.mgrid[:side, :side] - (side - 1) / 2) * pixel
    light = np.zeros((3, side, side))
    for x0, y0 in ((0.0, 0.0), rng.uniform(-2, 2, 2)):
        width, flat, turn = rng.uniform(0.6, 1.2), rng.uniform(0.5, 1), rng.uniform(0, np.pi)
        u = (x - x0) * np.cos(turn) + (y - y0) * np.sin(turn)
        v = ((y - y0) * np.cos(turn) - (x - x0) * np.sin(turn)) / flat
        light += rng.uniform(1, 3, 3)[:, None, None] * np.exp(-(u**2 + v**2) / (2 * width**2))
    return (light * pixel**2).astype(np.float32)


def header_of(pixel: float | None, **more: object) -> fits.Header:
    header = fits.Header({"BUNIT": "nanomaggy", **more})
    if pixel is not None:
        header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0, "CRPIX1": 20.0,
                       "CRPIX2": 20.0, "CD1_1": -pixel / 3600, "CD2_2": pixel / 3600})  # fmt: skip
    return header


def cutout(planes: np.ndarray, pixel: float | None = PIXEL, bands: str = "grz", compress: bool = False) -> bytes:
    """One extension a band."""
    kind = fits.CompImageHDU if compress else fits.ImageHDU
    hdus = [kind(plane, header_of(pixel, FILTER=band)) for plane, band in zip(planes, bands, strict=True)]
    return bytes_of(fits.PrimaryHDU(), *hdus)


def one_band(plane: np.ndarray, band: str) -> bytes:
    return bytes_of(fits.PrimaryHDU(plane, header_of(PIXEL, FILTER=band)))


def bytes_of(*hdus: object) -> bytes:
    buffer = io.BytesIO()
    fits.HDUList(list(hdus)).writeto(buffer)
    return buffer.getvalue()


@pytest.fixture(scope="session")
def params():
    return parse_params({
        "survey": {"format": "fits"}, "target": {"column": "merger"},
        "shard": {"size": 24, "crop": 0.5, "per_shard": 10, "workers": 1, "max_refused": 1.0},
        "encoder": {"width": 0.125, "embedding_dim": 8}, "embed": {"batch_size": 32, "device": "cpu", "views": 1},
    })  # fmt: skip


@pytest.fixture(scope="session")
def survey_once(embed_survey, params, tmp_path_factory):
    """24 galaxies: of each file several bands, but of the first two one band."""
    root = tmp_path_factory.mktemp("flux") / "project"
    images = root / "data" / "images"
    images.mkdir(parents=True)
    for number in range(24):
        planes = galaxy(number)
        if number < 2:
            for band, plane in zip("grz", planes, strict=True):
                (images / f"g{number:02d}_{band}.fits").write_bytes(one_band(plane, band))
        else:
            (images / f"g{number:02d}.fits").write_bytes(cutout(planes))
    labels = "id,merger\n" + "".join(f"g{number:02d},{number % 3 == 0:d}\n" for number in range(24))
    (root / "data" / "labels.csv").write_text(labels)
    return embed_survey(root, params).root


@pytest.fixture
def flux(survey_once, tmp_path, monkeypatch):
    from mergerscope.paths import Paths

    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(survey_once, tmp_path / "project")
    return Paths(tmp_path / "project")


@pytest.fixture
def search(flux, params):
    def go(*images: Path, paths=flux, params=params, **more: object) -> list[dict[str, str]]:
        run(paths, params, Request(images=images, **more))
        with (paths.search_results / "similar.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return go


def is_found(line: dict[str, str], name: str, likeness: float = 0.999) -> bool:
    return line["id"] == name and float(line["similarity"]) > likeness


def test_a_file_of_the_survey_finds_itself(flux, search):
    images = flux.root / "data" / "images"
    first = search(images / "g07.fits", top=3)[0]
    assert is_found(first, "g07")
    assert first["nearest_query"] == "g07.fits"
    assert Manifest.load(flux.manifest).sampling.uniform


def test_files_of_one_band_each_are_one_galaxy_however_they_are_named(flux, search):
    images = flux.root / "data" / "images"
    ways = [("g01_r.fits",), ("g01_g.fits", "g01_z.fits"), ("g01",), ("g01", "g01_r.fits")]
    found = [search(*(images / name for name in names), top=5) for names in ways]
    assert is_found(found[0][0], "g01")
    assert found[0][0]["nearest_query"] == "g01_{g,r,z}.fits"
    assert all(lines == found[0] for lines in found)


@pytest.mark.parametrize(("name", "content", "likeness"), [
    ("a.fits.gz", gzip.compress(cutout(galaxy(5))), 0.999),
    ("a.fits.fz", cutout(galaxy(5), compress=True), 0.98),
    ("a.fit", cutout(galaxy(5)[[2, 0, 1]], bands="zgr"), 0.999),
    ("cube.fts", bytes_of(fits.PrimaryHDU(galaxy(5), header_of(PIXEL, BANDS="grz"))), 0.999),
    ("nameless.fits", bytes_of(fits.PrimaryHDU(galaxy(5), header_of(None))), 0.999),
])  # fmt: skip
def test_any_packing(search, tmp_path, name, content, likeness):
    (tmp_path / name).write_bytes(content)
    assert is_found(search(tmp_path / name, top=1)[0], "g05", likeness)


def test_pixels_of_another_size_and_a_wider_field_show_the_same_sky(search, tmp_path, capsys):
    (tmp_path / "fine.fits").write_bytes(cutout(galaxy(5, 3 * SIDE, PIXEL / 2), PIXEL / 2))
    assert is_found(search(tmp_path / "fine.fits", top=1)[0], "g05", 0.99)
    assert "fine.fits: pixels of 0.131 arcsec against 0.262 of the survey: the central 0.333" in capsys.readouterr().err
    (tmp_path / "wide.fits").write_bytes(cutout(galaxy(5, 2 * SIDE)))
    assert is_found(search(tmp_path / "wide.fits", top=1)[0], "g05")
    # without its pixels being known, a wide file is cut as the survey is
    (tmp_path / "unknown.fits").write_bytes(cutout(galaxy(5, 2 * SIDE), None))
    assert not is_found(search(tmp_path / "unknown.fits", top=1)[0], "g05")
    assert is_found(search(tmp_path / "unknown.fits", field=0.25, top=1)[0], "g05")


def test_in_a_folder_each_that_cannot_be_compared_is_told_with_its_reason(flux, search, tmp_path, capsys):
    folder = tmp_path / "targets"
    folder.mkdir()
    whole = cutout(galaxy(5))
    files = {
        "good.fits": whole, "cut.fits": whole[:9000], "empty.fits": b"", "picture.jpg": b"\xff\xd8\xff",
        "two.fits": cutout(galaxy(5)[:2], bands="gr"), "counts.fits": whole.replace(b"nanomaggy", b"electrons"),
        "narrow.fits": cutout(galaxy(5, 20)), "words.fits": b"no FITS", "lone_g.fits": one_band(galaxy(5)[0], "g"),
        "split_g.fits": one_band(galaxy(3)[0], "g"), "split_r.fits": one_band(galaxy(3)[1], "r"),
        "split_z.fits": one_band(galaxy(3)[2], "z"), "twice_g.fits": b"", "twice_g.fits.gz": b"", "README.md": b"",
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_bytes(content)
    found = search(folder, top=24)
    assert {line["nearest_query"] for line in found} == {"good.fits", "split_{g,r,z}.fits"}
    said = capsys.readouterr().err
    assert "2 pictures are used and 9 are not" in said
    assert "give a FITS file with the bands g, r, z" in said
    with (flux.search_results / "refused.csv").open() as file:
        refused = {line["id"]: line["reason"] for line in csv.DictReader(file)}
    assert refused == {
        "cut": "truncated", "empty": "empty-file", "picture": "picture", "two": "missing-band", "counts": "unit",
        "narrow": "too-narrow", "words": "not-fits", "lone": "missing-band", "twice": "duplicate-band",
    }  # fmt: skip


def test_what_is_named_and_cannot_be_compared_ends_the_search(flux, search, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(QueryError, match=r"a\.jpg cannot be used \(picture\): .* or search by --id or --position"):
        search(tmp_path / "a.jpg")
    (tmp_path / "two.fits").write_bytes(cutout(galaxy(5)[:2], bands="gr"))
    with pytest.raises(QueryError, match=r"\(missing-band\): lacks z; it has g, r; give all bands"):
        search(tmp_path / "two.fits")
    with pytest.raises(QueryError, match=r"nowhere\.fits cannot be used \(no-image\)"):
        search(tmp_path / "nowhere.fits")
    assert not flux.search_results.exists()


def with_flux(params, **changes):
    return params.model_copy(update={"flux": params.flux.model_copy(update=changes)})


def reshard_as(paths, **changes: object) -> None:
    """Let the shards tell that they were made otherwise."""
    replace(Manifest.load(paths.manifest), **changes).save(paths.manifest)


def test_a_missing_band_is_filled_where_the_shards_were_and_not_as_params_say_now(flux, search, params, tmp_path):
    (tmp_path / "two.fits").write_bytes(cutout(galaxy(5)[:2], bands="gr"))
    with pytest.raises(QueryError, match="missing-band"):
        search(tmp_path / "two.fits", params=with_flux(params, missing_bands="fill"))
    reshard_as(flux, missing_bands="fill")
    assert search(tmp_path / "two.fits", top=1)


def test_bits_mask_where_they_did_in_the_shards_and_not_as_params_say_now(flux, search, params, tmp_path):
    mask = fits.ImageHDU(np.ones((SIDE, SIDE), np.int16), name="MASK")
    masked = bytes_of(fits.PrimaryHDU(galaxy(5), header_of(PIXEL, BANDS="grz")), mask)
    (tmp_path / "masked.fits").write_bytes(masked)
    assert is_found(search(tmp_path / "masked.fits", params=with_flux(params, mask_bits=1), top=1)[0], "g05")
    reshard_as(flux, mask_bits=1)
    with pytest.raises(QueryError, match="all-masked"):
        search(tmp_path / "masked.fits")


def test_shards_that_do_not_tell_how_they_were_masked_are_to_be_made_again(flux, search):
    reshard_as(flux, mask_bits=None)
    with pytest.raises(ContractError, match=r"earlier version .* Run `dvc repro`"):
        search(flux.root / "data" / "images" / "g07.fits")


def test_one_angle_in_two_samplings_is_searched_as_it_was_packed(
    embed_survey, params, search, tmp_path, monkeypatch, capsys
):
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "mixed"
    images = root / "data" / "images"
    images.mkdir(parents=True)
    for number in range(12):
        coarse = 2 if number % 3 == 0 else 1
        content = cutout(galaxy(number, SIDE // coarse, coarse * PIXEL), coarse * PIXEL)
        (images / f"g{number:02d}.fits").write_bytes(content)
    (root / "data" / "labels.csv").write_text("id,merger\n" + "".join(f"g{one:02d},{one % 2}\n" for one in range(12)))
    paths = embed_survey(root, params)
    told = Manifest.load(paths.manifest).sampling
    assert (told.galaxies, told.one_scale, told.uniform) == (12, True, False)
    capsys.readouterr()
    for name in ("g03", "g04"):
        assert is_found(search(images / f"{name}.fits", paths=paths, top=1)[0], name, 0.99999)
    assert "its flux times" not in capsys.readouterr().err


@pytest.mark.real
def test_real_files_of_four_surveys_find_themselves(embed_survey, params, search, tmp_path, monkeypatch):
    real = os.environ.get("MERGERSCOPE_REAL_FITS")
    if not real:
        pytest.skip("MERGERSCOPE_REAL_FITS is not set")
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "real"
    images = root / "data" / "images"
    images.mkdir(parents=True)
    for path in Path(real).rglob("*.fits*"):
        (images / path.name).symlink_to(path)
    (root / "data" / "labels.csv").write_text("id,merger\nDES,1\n132,1\n360,1\n")
    changes = {"flux": {"bands": ("g", "r"), "zero_point": 25.0, "stretch": "lupton", "scale": (0.1,)}}
    settings = parse_params(params.model_dump(by_alias=True) | {
        block: getattr(params, block).model_dump() | values for block, values in changes.items()
    })  # fmt: skip
    paths = embed_survey(root, settings)
    manifest = Manifest.load(paths.manifest)
    assert [one.id for one in manifest.refused] == ["731"]  # without r
    assert (manifest.total, manifest.sampling.galaxies, manifest.sampling.uniform) == (8, 8, False)
    for name in ("DES_g.fits", "SDSS_r.fits", "PS1", "132_rband.fits", "360", "reprojected_sdss_g.fits.bz2"):
        first = search(images / name, paths=paths, params=settings, top=8)[0]
        assert is_found(first, name.split(".")[0].removesuffix("band").removesuffix("_g").removesuffix("_r")), name
    with pytest.raises(QueryError, match=r"731_gband\.fits cannot be used \(missing-band\): lacks r; it has g"):
        search(images / "731_gband.fits", paths=paths, params=settings)
