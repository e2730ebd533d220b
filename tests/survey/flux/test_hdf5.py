"""HDF5 in the layout of the ssl-legacysurvey data: rows, ids, labels, chunks, and what is refused."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mergerscope.errors import MissingExtraError, SurveyError
from mergerscope.params import ShardParams
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_images
from mergerscope.shards.writer import write_shards
from mergerscope.survey.flux import hdf5 as hdf5_module
from mergerscope.survey.flux.fits_file import read_fits
from mergerscope.survey.flux.hdf5 import ImageFile
from mergerscope.survey.flux.image import FluxSpec
from mergerscope.survey.flux.store import FluxStore
from mergerscope.survey.images import ImageStore
from mergerscope.survey.records import ImageRefusedError

h5py = pytest.importorskip("h5py")

Maker = Callable[..., Path]
ANY = FluxSpec((), "", None)


def labels(root: Path, *lines: str) -> Path:
    (root / "labels.csv").write_text("\n".join(["id,merger", *lines]) + "\n")
    return root


def images_of(root: Path, name: str = "images.h5") -> np.ndarray:
    """As they are read: row 0 at the top."""
    with h5py.File(root / name) as file:
        return file["images"][:][:, :, ::-1]


def reasons(refused: Any) -> dict[str, str]:
    return {one.source: one.reason for one in refused}


def test_rows_are_galaxies(made: Any, hdf5: Maker, tmp_path: Path) -> None:
    root = labels(hdf5(rows=20, first=995), "995,1", "1003,0", "7,1")
    result = made.build(root)
    catalog = made.catalog(result, tmp_path)
    assert result.format == "hdf5"
    assert sorted(map(int, catalog.ids)) == list(range(995, 1015))
    assert catalog.ids.tolist() == sorted(catalog.ids.tolist())  # as text: 1000 stands before 995
    where = dict(zip(catalog.ids.tolist(), catalog.image.tolist(), strict=True))
    assert where["1000"] == "images.h5::5"
    with h5py.File(root / "images.h5") as file:
        order = [int(key) - 995 for key in catalog.ids.tolist()]
        np.testing.assert_array_equal(catalog.ra_deg, file["ra"][:][order])
        np.testing.assert_array_equal(catalog.dec_deg, file["dec"][:][order])
        np.testing.assert_array_equal(catalog.ebv, file["ebv"][:][order].astype(np.float64))
    assert int(catalog.judged.sum()) == 2
    assert reasons(result.refused) == {"labels.csv:4": "no-image"}
    assert result.rows == 21
    assert catalog.flux is not None
    assert (catalog.flux.bands, catalog.flux.unit) == (("g", "r", "z"), "nanomaggy")

    params = ShardParams(size=16, crop=1.0, per_shard=7, workers=1)
    manifest = write_shards(catalog, root, tmp_path / "s", params, result.refused, scratch=tmp_path / "x")
    assert manifest.total + len(manifest.refused) == result.rows
    np.testing.assert_array_equal(read_images(tmp_path / "s", manifest, catalog.ids.tolist()), images_of(root)[order])


def test_bands_are_picked_and_ordered(made: Any, hdf5: Maker, tmp_path: Path) -> None:
    root = labels(hdf5(), "1000,1")
    result = made.build(root, bands=("z", "g"))
    catalog = made.catalog(result, tmp_path)
    params = ShardParams(size=16, crop=1.0, workers=1)
    manifest = write_shards(
        catalog, root, tmp_path / "s", params, [], scratch=tmp_path / "x", missing_bands="fill", mask_bits=4
    )
    assert manifest.bands == ("z", "g")
    assert (manifest.missing_bands, manifest.mask_bits) == ("fill", 4)
    assert Manifest.load(tmp_path / "s" / "manifest.json") == manifest
    np.testing.assert_array_equal(
        read_images(tmp_path / "s", manifest, catalog.ids.tolist()), images_of(root)[:, [2, 0]]
    )


def test_rows_go_up_as_in_the_fits_files_of_the_same_cutouts(made: Any, hdf5: Maker) -> None:
    sky = made.flux(3, 3, 16, 16)
    with ImageFile(hdf5(rows=1, images=sky[None]) / "images.h5") as file:
        ((_, planes),) = file.read([0])
    np.testing.assert_array_equal(planes, read_fits([("a.fits", made.several_bands(sky))], ANY).planes)


def test_several_files_and_processes_give_the_same(made: Any, hdf5: Maker, tmp_path: Path) -> None:
    hdf5("b.h5", rows=400, first=5000)
    root = labels(hdf5("a.hdf5", rows=300, first=100), "100,1")
    one = made.build(root, workers=1)
    two = made.build(root, workers=2)
    assert one.table.equals(two.table)
    assert one.table.num_rows == 700
    catalog = made.catalog(one, tmp_path)
    for workers in (1, 2):
        params = ShardParams(size=16, crop=1.0, per_shard=100, workers=workers)
        write_shards(catalog, root, tmp_path / f"s{workers}", params, [], scratch=tmp_path / "x")
    names = sorted(path.name for path in (tmp_path / "s1").iterdir())
    assert len(names) == 8
    for name in names:
        assert (tmp_path / "s1" / name).read_bytes() == (tmp_path / "s2" / name).read_bytes()


@pytest.mark.parametrize("inds", [None, np.array([1, 2, 2]), np.array([1.0, 2.0, 3.0]), np.array([-1, 2, 3])])
def test_without_inds_of_its_own_a_row_has_its_place_as_id(made: Any, hdf5: Maker, inds: Any) -> None:
    root = labels(hdf5(rows=3, inds=inds), "images_1,1")
    result = made.build(root)
    assert result.table["id"].to_pylist() == ["images_0", "images_1", "images_2"]
    assert any("`inds` is missing or names a galaxy twice" in note for note in result.notes)


def test_bad_rows_are_refused_one_by_one(made: Any, hdf5: Maker, tmp_path: Path) -> None:
    images = np.random.default_rng(1).normal(size=(6, 3, 16, 16)).astype(">f4")
    images[3] = np.nan
    images[4, 1, :8] = np.inf
    images[5] = images[0]
    ra = np.array([400.0, 10, np.nan, 30, 40, 50])
    dec = np.array([0.0, -91, np.nan, 0, 0, 0])
    root = labels(hdf5(rows=6, images=images, ra=ra, dec=dec), "1003,1", "1005,1")
    result = made.build(root)
    assert reasons(result.refused) == {
        "images.h5::0": "position-out-of-range", "images.h5::1": "position-out-of-range",
    }  # fmt: skip
    catalog = made.catalog(result, tmp_path)
    assert np.isnan(catalog.ra_deg[0])
    params = ShardParams(size=16, crop=1.0, workers=1, max_refused=1.0)
    manifest = write_shards(catalog, root, tmp_path / "s", params, result.refused, scratch=tmp_path / "x")
    assert reasons(manifest.refused)["images.h5::3"] == "all-masked"
    assert manifest.total + len(manifest.refused) == result.rows == 6
    read = read_images(tmp_path / "s", manifest, ["1004"])[0]
    assert not read[1, 8:].any()
    assert np.isfinite(read).all()


def test_equal_rows_are_one_galaxy(made: Any, hdf5: Maker) -> None:
    images = np.random.default_rng(1).normal(size=(3, 3, 16, 16)).astype(np.float32)
    images[2] = images[0]
    root = labels(hdf5(rows=3, images=images), "1000,1")
    digests = made.build(root).table["pixel_digest"].to_pylist()
    assert digests[0] == digests[2] != digests[1]


def bad_file(kind: str, root: Path) -> None:
    path = root / "bad.h5"
    if kind == "not-hdf5":
        path.write_bytes((root / "images.h5").read_bytes()[:3000])
        return
    images: Any = np.zeros((2, 3, 16, 16), np.float32)
    with h5py.File(path, "w") as file:
        if kind == "no-images":
            file["pictures"] = images
            file["inds"] = np.arange(5)
        elif kind == "wrong-dtype":
            file["images"] = images.astype(np.uint8)
        elif kind == "wrong-shape":
            file["images"] = images[0]
        elif kind == "mixed-sizes":
            file["images"] = images[..., :8, :8]
        elif kind == "outside-link":
            file["images"] = h5py.ExternalLink(str(root / "images.h5"), "images")
        elif kind == "linked-column":
            file["images"] = images
            file["ra"] = h5py.ExternalLink(str(root / "images.h5"), "ra")
        elif kind == "lost-column":
            file["images"] = images
            file["ra"] = h5py.ExternalLink("nowhere.h5", "ra")
        elif kind == "zip-bomb":
            file.create_dataset("images", (10**9, 3, 16, 16), "f4", chunks=(1, 3, 16, 16))
        elif kind == "position-incomplete":
            file["images"] = images
            file["ra"] = np.zeros(2)
        elif kind == "short-column":
            file["images"] = images
            file["ra"] = np.zeros(1)
        elif kind == "words":
            file["images"] = images
            file["ra"] = np.array([b"a", b"b"])
        elif kind == "virtual":
            layout = h5py.VirtualLayout((12, 3, 16, 16), "f4")
            layout[:] = h5py.VirtualSource(str(root / "images.h5"), "images", (12, 3, 16, 16))
            file.create_virtual_dataset("images", layout)
        elif kind == "external":
            file.create_dataset("images", (2, 3, 16, 16), "f4", external=[(str(root / "images.h5"), 0, 6144)])


@pytest.mark.parametrize(
    ("kind", "reason", "lost"),
    [
        ("not-hdf5", None, None), ("no-images", None, 5), ("wrong-dtype", None, 2), ("wrong-shape", None, None),
        ("mixed-sizes", None, 2), ("outside-link", None, None), ("linked-column", "outside-link", 2),
        ("lost-column", "outside-link", 2), ("zip-bomb", None, None), ("position-incomplete", None, 2),
        ("short-column", "wrong-shape", 2), ("words", "wrong-dtype", 2), ("virtual", "outside-link", 12),
        ("external", "outside-link", 2),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_as_a_whole_and_told(
    made: Any, hdf5: Maker, kind: str, reason: str | None, lost: int | None
) -> None:
    root = labels(hdf5("images.h5"), "1000,1")
    bad_file(kind, root)
    (root / "bad.h5").rename(root / "late.h5")  # behind images.h5, which says what the sizes are
    result = made.build(root)
    assert reasons(result.refused) == {"late.h5": reason or kind}
    assert any(note.startswith(f"late.h5 is left out as a whole ({reason or kind})") for note in result.notes)
    told = re.findall(r"lost with it: (\d+) galaxies", result.refused[0].detail)
    assert told == ([] if lost is None else [str(lost)])
    assert result.table.num_rows == 12


def test_a_file_of_one_galaxy_is_told_as_one(made: Any, hdf5: Maker) -> None:
    hdf5("late.h5", rows=1, images=np.zeros((1, 3, 16, 16), np.int16))
    result = made.build(labels(hdf5("images.h5"), "1000,1"))
    assert result.refused[0].detail.endswith("; lost with it: 1 galaxy")


def test_only_bad_files_are_an_error(made: Any, hdf5: Maker) -> None:
    root = labels(hdf5(images=np.zeros((12, 3, 4, 4), np.int16)), "1000,1")
    with pytest.raises(SurveyError, match=r"images\.h5, was refused \(wrong-dtype\): images\.h5: images are int16"):
        made.build(root)


def test_without_labels_the_error_says_what_is_needed(made: Any, hdf5: Maker) -> None:
    with pytest.raises(SurveyError, match=r"put a labels\.csv there"):
        made.build(hdf5())


def test_another_number_of_bands_has_names(hdf5: Maker) -> None:
    root = hdf5(images=np.zeros((12, 4, 4, 4), np.float32))
    with pytest.raises(ImageRefusedError, match="an attribute `bands` must name them"):
        ImageFile(root / "images.h5")
    with h5py.File(root / "images.h5", "a") as file:
        file["images"].attrs["bands"] = ["DES-g", "r", "i", "z"]
    with ImageFile(root / "images.h5") as read:
        assert read.bands == ("g", "r", "i", "z")


def test_the_side_of_a_pixel_may_be_told(hdf5: Maker) -> None:
    root = hdf5(rows=2)
    with ImageStore(root) as images, FluxStore(images, ANY) as store:
        assert [found.pixel_arcsec for _, found in store.read_many(["images.h5::0"])] == [None]
    with h5py.File(root / "images.h5", "a") as file:
        file["images"].attrs["pixel_arcsec"] = 0.262
    with ImageStore(root) as images, FluxStore(images, ANY) as store:
        assert [found.pixel_arcsec for _, found in store.read_many(["images.h5::0"])] == [0.262]


@pytest.mark.parametrize(("told", "side"), [
    (np.array([0.25]), 0.25), (np.array([[2]], np.uint8), 2.0), (np.float32(0.25), 0.25), (1, 1.0),
    ("small", None), ("0.25", None), (True, None), (np.array([0.25, 0.25]), None), (np.zeros(0), None), (0, None),
    (-0.25, None), (np.nan, None), (np.inf, None), (1j, None), (h5py.Empty("f4"), None),
])  # fmt: skip
def test_a_side_that_is_none_costs_no_galaxy(made: Any, hdf5: Maker, told: Any, side: float | None) -> None:
    root = labels(hdf5(), "1000,1")
    with h5py.File(root / "images.h5", "a") as file:
        file["images"].attrs["pixel_arcsec"] = told
    with ImageFile(root / "images.h5") as read:
        assert read.pixel_arcsec == side
    result = made.build(root)
    assert (result.table.num_rows, list(result.refused)) == (12, [])
    said = [note for note in result.notes if "pixel_arcsec" in note]
    assert len(said) == (side is None)
    assert all("in 1 file, the first images.h5," in note for note in said)


def test_any_rows_in_the_order_of_the_file(hdf5: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    root = hdf5(rows=50)
    images = images_of(root)
    monkeypatch.setattr(hdf5_module, "STRETCH_BYTES", 5 * images[0].nbytes)
    wanted = [7, 3, 49, 4, 5, 3, 20, 21, 22, 23, 24, 25, 26, 60]
    with ImageFile(root / "images.h5") as file:
        found = dict(file.read(wanted))
    assert list(found) == sorted(set(wanted))
    assert isinstance(found.pop(60), ImageRefusedError)
    for row, planes in found.items():
        np.testing.assert_array_equal(planes, images[row])


def test_a_damaged_chunk_costs_its_galaxies_only(hdf5: Maker) -> None:
    root = hdf5(rows=12)
    path = root / "images.h5"
    images = images_of(root)
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images[:, :, ::-1], chunks=(1, 3, 16, 16), fletcher32=True)
        place = file["images"].id.get_chunk_info(5)
    data = bytearray(path.read_bytes())
    data[place.byte_offset + 100] ^= 0xFF
    path.write_bytes(data)
    with ImageFile(path) as file:
        found = dict(file.read(range(12)))
    bad = found.pop(5)
    assert isinstance(bad, ImageRefusedError)
    assert bad.reason == "corrupt-image"
    for row, planes in found.items():
        np.testing.assert_array_equal(planes, images[row])


def test_a_survey_is_never_in_memory(made: Any, hdf5: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = labels(hdf5(rows=600), "1000,1")
    largest = 0
    read = h5py.Dataset.__getitem__

    def watched(self: Any, *arguments: Any, **more: Any) -> Any:
        nonlocal largest
        found = read(self, *arguments, **more)
        if self.name == "/images":
            largest = max(largest, found.nbytes)
        return found

    monkeypatch.setattr(h5py.Dataset, "__getitem__", watched)
    monkeypatch.setattr(hdf5_module, "STRETCH_BYTES", 40_000)
    result = made.build(root)
    catalog = made.catalog(result, tmp_path)
    write_shards(catalog, root, tmp_path / "s", ShardParams(size=16, workers=1), [], scratch=tmp_path / "x")
    assert 3072 <= largest <= 40_000


def test_without_h5py_the_error_says_what_to_install(
    made: Any, hdf5: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = labels(hdf5(), "1000,1")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mergerscope\[hdf5\]'"):
        made.build(root)
