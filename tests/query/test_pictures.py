from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mergerscope.errors import QueryError
from mergerscope.query.pictures import FIELDS, PictureCutter, read_pictures
from mergerscope.shards.cutout import make_cutout


def jpeg(side=100, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "targets"
    place.mkdir()
    (place / "b.jpg").write_bytes(jpeg(seed=1))
    (place / "a.JPEG").write_bytes(jpeg(seed=2))
    (place / "cut.jpg").write_bytes(jpeg()[:700])
    (place / "words.png").write_text("no picture at all")
    (place / "small.jpg").write_bytes(jpeg(10))
    (place / "empty.jpg").write_bytes(b"")
    (place / "README.md").write_text("about them")
    (place / "flux_g.fits").write_bytes(b"SIMPLE  =")
    (place / "flux_r.fits.fz").write_bytes(b"SIMPLE  =")
    (place / ".hidden.jpg").write_bytes(b"")
    (place / "within").mkdir()
    return place


def test_a_picture_is_cut_as_the_survey_is(folder):
    (picture,), refused = read_pictures([folder / "b.jpg"], PictureCutter(0.5, 32))
    assert (picture.name, picture.fields, refused) == ("b.jpg", (0.5,), [])
    np.testing.assert_array_equal(picture.cutouts, make_cutout(jpeg(seed=1), 0.5, 32)[None])


def test_several_fields_are_cut_where_none_is_named(folder):
    (picture,), _ = read_pictures([folder / "b.jpg"], PictureCutter(None, 32))
    assert picture.fields == FIELDS
    for cutout, field in zip(picture.cutouts, FIELDS, strict=True):
        np.testing.assert_array_equal(cutout, make_cutout(jpeg(seed=1), field, 32))


def test_fields_with_too_few_pixels_are_left_out(tmp_path):
    path = tmp_path / "little.jpg"
    path.write_bytes(jpeg(30))
    (picture,), _ = read_pictures([path], PictureCutter(None, 32))
    assert picture.fields == tuple(field for field in FIELDS if field * 30 >= 16)
    assert len(picture.fields) < len(FIELDS)


def test_a_folder_is_read_in_order_and_each_bad_file_is_told(folder):
    pictures, refused = read_pictures([folder], PictureCutter(1.0, 32))
    assert [picture.name for picture in pictures] == ["a.JPEG", "b.jpg"]
    assert {(one.id, one.reason) for one in refused} == {
        ("cut", "truncated"), ("words", "not-an-image"), ("small", "too-small"), ("empty", "empty-file"),
        ("flux", "fits"),
    }  # fmt: skip
    assert all(str(folder) in one.source and one.detail for one in refused)


@pytest.mark.parametrize(("name", "reason"), [
    ("cut.jpg", "truncated"), ("words.png", "not-an-image"), ("small.jpg", "too-small"), ("nowhere.jpg", "no-image"),
    ("README.md", "not-an-image"), ("flux_r.fits.fz", "fits"), ("flux", "fits"),
])  # fmt: skip
def test_a_bad_picture_that_was_named_is_an_error(folder, name, reason):
    with pytest.raises(QueryError, match=rf"{name} cannot be used \({reason}\)"):
        read_pictures([folder / "b.jpg", folder / name], PictureCutter(None, 32))


def test_a_folder_without_one_good_picture_is_an_error(folder, tmp_path):
    for name in ("b.jpg", "a.JPEG"):
        (folder / name).unlink()
    with pytest.raises(QueryError, match="none of 5 images"):
        read_pictures([folder], PictureCutter(None, 32))
    (tmp_path / "bare").mkdir()
    with pytest.raises(QueryError, match="none of 0 images"):
        read_pictures([tmp_path / "bare"], PictureCutter(None, 32))


def test_a_picture_that_is_named_twice_counts_once(folder):
    asked = [folder / "b.jpg", folder, folder / "within" / ".." / "b.jpg", folder / "b.jpg"]
    pictures, _ = read_pictures(asked, PictureCutter(1.0, 32))
    assert sorted(picture.name for picture in pictures) == ["a.JPEG", "b.jpg"]
