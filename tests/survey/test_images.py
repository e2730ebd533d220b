"""Nothing is read that a survey should not reach."""

from __future__ import annotations

import os
import pickle
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from mergerscope.errors import SurveyError
from mergerscope.survey import archive as archive_module
from mergerscope.survey.archive import MAX_IMAGE_BYTES, Archive, is_hidden
from mergerscope.survey.images import ImageStore
from mergerscope.survey.records import ImageRefusedError


def reason(root: Path, image: str) -> str:
    with ImageStore.open(root) as store, pytest.raises(ImageRefusedError) as caught:
        store.read(image)
    return caught.value.reason


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "survey"
    (root / "images").mkdir(parents=True)
    (root / "images" / "a.jpg").write_bytes(b"pixels")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    return root


def test_files_and_members_are_read(root: Path) -> None:
    with zipfile.ZipFile(root / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner/b.jpg", b"packed" * 100)
        archive.writestr("empty.jpg", b"")
    with ImageStore.open(root) as store:
        assert store.read("images/a.jpg") == b"pixels"
        assert store.read("images.zip::inner/b.jpg") == b"packed" * 100
        assert store.read("images.zip::inner/b.jpg") == b"packed" * 100
        assert store.read("images.zip::empty.jpg") == b""


@pytest.mark.parametrize("image", ["../secret.jpg", "images/../../secret.jpg", "/etc/passwd", "images\\a.jpg", "",
                                   "C:/a.jpg", "../survey/images/a.jpg", "a\0b", "../x.zip::a.jpg"])  # fmt: skip
def test_paths_that_leave_the_root_are_refused(root: Path, image: str) -> None:
    assert reason(root, image) == "unsafe-path"


def test_missing_folders_and_pipes_are_no_images(root: Path) -> None:
    os.mkfifo(root / "images" / "pipe.jpg")
    assert reason(root, "images/none.jpg") == "no-image"
    assert reason(root, "images") == "no-image"
    assert reason(root, "images/pipe.jpg") == "no-image"


def test_an_oversized_file_is_refused_unread(root: Path) -> None:
    with (root / "images" / "big.jpg").open("wb") as file:
        file.truncate(MAX_IMAGE_BYTES + 1)  # sparse
    assert reason(root, "images/big.jpg") == "too-large"


def test_a_link_in_a_folder_is_followed_as_dvc_makes_them(root: Path, tmp_path: Path) -> None:
    (root / "images" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    with ImageStore.open(root) as store:
        assert store.read("images/link.jpg") == b"secret"


def test_no_folder_and_no_zip(root: Path) -> None:
    with pytest.raises(SurveyError, match=r"survey\.root"):
        ImageStore.open(root / "nowhere")
    (root / "images.zip").write_bytes(b"this is no zip")
    with ImageStore.open(root) as store, pytest.raises(SurveyError, match="cannot be read as a zip"):
        store.read("images.zip::a.jpg")


def zip_of(path: Path, name: str, data: bytes, mode: int = 0o644, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    member = zipfile.ZipInfo(name)
    member.external_attr = mode << 16
    member.compress_type = compression
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, data)
    return path


@pytest.mark.parametrize("name", ["../evil.jpg", "/abs.jpg", "a/../../evil.jpg", "a\\b.jpg", "C:/evil.jpg"])
def test_members_with_unsafe_paths_are_refused(tmp_path: Path, name: str) -> None:
    with Archive(zip_of(tmp_path / "a.zip", name, b"x")) as archive:
        problem = archive.problem(name)
        assert problem is not None
        assert problem.reason == "unsafe-path"
        with pytest.raises(ImageRefusedError):
            archive.read(name)


def test_member_that_is_a_link_is_refused(tmp_path: Path) -> None:
    zip_of(tmp_path / "a.zip", "link.jpg", b"/etc/passwd", stat.S_IFLNK | 0o777)
    assert reason(tmp_path, "a.zip::link.jpg") == "link"


def test_member_that_appears_twice_is_refused(tmp_path: Path) -> None:
    zip_of(tmp_path / "a.zip", "a.jpg", b"one")
    with pytest.warns(UserWarning, match="Duplicate name"):
        zip_of(tmp_path / "a.zip", "a.jpg", b"two")
    assert reason(tmp_path, "a.zip::a.jpg") == "duplicate-member"


def test_bomb_by_ratio_and_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zip_of(tmp_path / "a.zip", "bomb.jpg", bytes(3 * 2**20))
    zip_of(tmp_path / "a.zip", "blank.jpg", bytes(10_000))
    assert reason(tmp_path, "a.zip::bomb.jpg") == "zip-bomb"
    with ImageStore.open(tmp_path) as store:
        assert len(store.read("a.zip::blank.jpg")) == 10_000
    with Archive(tmp_path / "a.zip", max_bytes=9_999) as archive:
        problem = archive.problem("blank.jpg")
    assert problem is not None
    assert problem.reason == "too-large"


def patched(path: Path, name: str, offset: int, value: bytes) -> None:
    """Overwrite bytes of a member's entry in the central directory, ``offset`` from its signature."""
    data = bytearray(path.read_bytes())
    at = data.rindex(name.encode()) - 46
    assert data[at : at + 4] == b"PK\x01\x02"
    data[at + offset : at + offset + len(value)] = value
    path.write_bytes(data)


def test_member_that_lies_about_its_size_does_not_inflate(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", "liar.jpg", bytes(200 * 2**20))
    patched(path, "liar.jpg", 24, struct.pack("<I", 1000))  # the unpacked size, as the directory claims it
    with Archive(path) as archive:
        assert archive.problem("liar.jpg") is None
        tracemalloc_peak = _peak_of_read(archive, "liar.jpg")
    assert tracemalloc_peak < 10 * 2**20


def _peak_of_read(archive: Archive, name: str) -> int:
    import tracemalloc

    tracemalloc.start()
    try:
        with pytest.raises(ImageRefusedError) as caught:
            archive.read(name)
        assert caught.value.reason == "corrupt-member"
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_encrypted_damaged_and_unknown_compression(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", "locked.jpg", b"x" * 50)
    patched(path, "locked.jpg", 8, struct.pack("<H", 1))
    assert reason(tmp_path, "a.zip::locked.jpg") == "encrypted-member"
    path = zip_of(tmp_path / "b.zip", "broken.jpg", b"x" * 50, compression=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"x" * 50, b"x" * 49 + b"y"))
    assert reason(tmp_path, "b.zip::broken.jpg") == "corrupt-member"
    path = zip_of(tmp_path / "c.zip", "odd.jpg", b"x" * 50)
    patched(path, "odd.jpg", 10, struct.pack("<H", 97))
    assert reason(tmp_path, "c.zip::odd.jpg") == "corrupt-member"
    assert reason(tmp_path, "c.zip::none.jpg") == "no-image"


@pytest.mark.parametrize(("path", "hidden"), [
    ("a/b.jpg", False), (".DS_Store", True), ("__MACOSX/a/._b.jpg", True), ("../b.jpg", False), ("a/.b.jpg", True),
])  # fmt: skip
def test_what_counts_as_hidden(path: str, hidden: bool) -> None:
    assert is_hidden(path) is hidden


def test_refusals_come_back_from_a_worker_process() -> None:
    back = pickle.loads(pickle.dumps(ImageRefusedError("truncated", "5 bytes")))
    assert (back.reason, back.detail) == ("truncated", "5 bytes")


def test_limits_are_those_that_are_documented() -> None:
    assert archive_module.MAX_RATIO == 100
    assert MAX_IMAGE_BYTES == 64 * 2**20
