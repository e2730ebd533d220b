from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pytest
import webdataset as wds
from hypothesis import given, settings
from hypothesis import strategies as st

from mergerscope.errors import ContractError
from mergerscope.shards.sample import encode_sample, image_from_npy, tar_tail

IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,79}", fullmatch=True)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@given(
    st.lists(IDS, min_size=1, max_size=12, unique=True), st.integers(1, 4), st.integers(1, 20), st.integers(0, 300),
    st.sampled_from(["uint8", "<f4", ">f4"]),
)  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_the_bytes_are_those_of_webdatasets_writer(
    ids: list[str], channels: int, side: int, extra: int, dtype: str
) -> None:
    rng = np.random.default_rng(0)
    stream, ours = io.BytesIO(), b""
    with wds.TarWriter(stream, mtime=0, user="", group="") as writer:
        for key in ids:
            image = rng.integers(0, 256, (channels, side, side)).astype(dtype)
            meta = {"id": key, "note": "x" * extra, "ra_deg": None}
            text = json.dumps(meta, sort_keys=True).encode()
            writer.write({"__key__": key, "npy": npy(image.astype(image.dtype.newbyteorder("<"))), "meta.json": text})
            ours += encode_sample(key, image, meta)
    assert ours + tar_tail(len(ours)) == stream.getvalue()


def test_tarfile_reads_it() -> None:
    image = np.arange(3 * 4 * 4, dtype=np.uint8).reshape(3, 4, 4)
    data = encode_sample("587722984435351614", image, {"ra_deg": 1.5})
    with tarfile.open(fileobj=io.BytesIO(data + tar_tail(len(data)))) as tar:
        meta, picture = tar.getmembers()
        assert (meta.name, picture.name) == ("587722984435351614.meta.json", "587722984435351614.npy")
        assert (picture.mtime, picture.uid, picture.gid, picture.uname, picture.mode) == (0, 0, 0, "", 0o444)
        content = tar.extractfile(picture)
        assert content is not None
        np.testing.assert_array_equal(np.load(io.BytesIO(content.read())), image)


@pytest.mark.parametrize("key", ["x" * 97, "x" * 200])
def test_a_name_that_a_header_cannot_hold(key: str) -> None:
    with pytest.raises(ValueError, match="no room"):
        encode_sample(key, np.zeros((3, 2, 2), np.uint8), {})


def test_reading_copies_nothing() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    content = npy(image)
    read = image_from_npy(content, (3, 2, 2), "uint8", "here")
    np.testing.assert_array_equal(read, image)
    assert read.base is not None
    assert not read.flags.writeable


@pytest.mark.parametrize(
    "content",
    [
        b"",
        npy(np.zeros((3, 2, 2), np.float32)),
        npy(np.zeros((3, 2, 3), np.uint8)),
        npy(np.zeros((3, 2, 2), np.uint8))[:-1],
        npy(np.zeros((3, 2, 2), np.uint8)) + b"x",
        npy(np.asfortranarray(np.zeros((3, 2, 2), np.uint8))),
    ],
)
def test_anything_else_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(ContractError, match=r"shard-000000.tar: g1 is no uint8 array of shape \[3, 2, 2\]"):
        image_from_npy(content, (3, 2, 2), "uint8", "shard-000000.tar: g1")


def test_a_picture_is_no_flux() -> None:
    with pytest.raises(ContractError, match=r"g1 is no float32 array of shape \[3, 2, 2\]"):
        image_from_npy(npy(np.zeros((3, 2, 2), np.uint8)), (3, 2, 2), "float32", "g1")


def test_a_whole_record() -> None:
    assert len(tar_tail(0)) == tarfile.RECORDSIZE
    assert (512 + len(tar_tail(512))) % tarfile.RECORDSIZE == 0
