"""One galaxy as bytes of a tar, and back.

A sample is two members, ``<id>.meta.json`` and ``<id>.npy``, in this order, with every field of their headers fixed:
the same bytes as ``webdataset.TarWriter(mtime=0, user="", group="")`` writes, and that is tested. They are made here
so that worker processes can build stretches of a shard side by side without importing torch, which webdataset does.

The meta data are what the sky and the survey say of the galaxy. Votes and roles stay in the catalogue: another target
or split then leaves the shards, and all that was trained on them, as they are.
"""

from __future__ import annotations

import io
import json
import math
import tarfile
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mergerscope.errors import ContractError

__all__ = [
    "DTYPES", "END_OF_TAR", "IMAGE_SUFFIX", "META_SUFFIX", "Pixels", "encode_sample", "image_from_npy", "tar_tail",
]  # fmt: skip

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.float32]

DTYPES: dict[str, np.dtype[Any]] = {"uint8": np.dtype(np.uint8), "float32": np.dtype("<f4")}
"""What a sample's image may hold, by the manifest's word: a picture, or flux."""

IMAGE_SUFFIX = ".npy"
META_SUFFIX = ".meta.json"
MODE = 0o444
SIZE_FIELD = slice(124, 135)
CHECKSUM_FIELD = slice(148, 154)  # six digits; the zero and the blank behind them stay
CHECKSUM_BLANKS = 7 * ord(" ")  # the sum counts the whole field of eight as blanks, of which the last is in place
END_OF_TAR = bytes(2 * tarfile.BLOCKSIZE)


def encode_sample(key: str, image: Pixels, meta: dict[str, object]) -> bytes:
    """Return the tar members of one galaxy.

    Args:
        key: the id.
        image: uint8 or float32 (C, H, W), C-contiguous.
        meta: JSON values by name.

    Raises:
        ValueError: ``key`` does not fit a tar header, or the image is of another type.
    """
    if image.dtype.name not in DTYPES:
        raise ValueError(f"an image of {image.dtype.name} was given; a shard holds {' or '.join(DTYPES)}")
    image = image.astype(DTYPES[image.dtype.name], copy=False)  # little-endian, wherever it was made
    pixels = image.reshape(-1).view(np.uint8).data
    text = json.dumps(meta, sort_keys=True, allow_nan=False).encode()
    # One join: every further copy of the image would cost as much as both headers together.
    return b"".join(
        [
            *_member(key + META_SUFFIX, text),
            *_member(key + IMAGE_SUFFIX, _npy_header(image.shape, image.dtype.name), pixels),
        ]
    )


def image_from_npy(
    content: bytes | npt.NDArray[np.uint8], shape: tuple[int, ...], dtype: str, where: str
) -> Pixels:
    """Return the read-only array of ``shape`` and ``dtype`` in ``content``, an ``.npy`` file, without copying it.

    Raises:
        ContractError: it holds something else; ``where`` is named.
    """
    header = _npy_header(shape, dtype)
    length = len(header) + math.prod(shape) * DTYPES[dtype].itemsize
    if bytes(content[: len(header)]) != header or len(content) != length:
        raise ContractError(f"{where} is no {dtype} array of shape {list(shape)}. Run `mergerscope shard` again.")
    pixels: Pixels = np.frombuffer(content, DTYPES[dtype], offset=len(header)).reshape(shape)
    return pixels


def tar_tail(length: int) -> bytes:
    """Return what ends a tar after ``length`` bytes of members: two empty blocks, then zeros to a whole record."""
    return END_OF_TAR + bytes(-(length + len(END_OF_TAR)) % tarfile.RECORDSIZE)


@lru_cache(maxsize=4)
def _npy_header(shape: tuple[int, ...], dtype: str) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": np.lib.format.dtype_to_descr(DTYPES[dtype]), "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()


def _member(name: str, *content: bytes | memoryview) -> list[bytes | memoryview]:
    size = sum(map(len, content))
    return [_header(name.encode("ascii"), size), *content, bytes(-size % tarfile.BLOCKSIZE)]


def _header(name: bytes, size: int) -> bytes:
    # tarfile spends a tenth of all packing on headers that differ in nothing but these three fields.
    if not 0 < len(name) <= tarfile.LENGTH_NAME:
        raise ValueError(f"a tar header has no room for the name {name!r}")
    header = bytearray(_blank_header())
    header[: len(name)] = name
    header[SIZE_FIELD] = b"%011o" % size
    header[CHECKSUM_FIELD] = b"%06o" % (sum(header) + CHECKSUM_BLANKS)
    return bytes(header)


@lru_cache(maxsize=1)
def _blank_header() -> bytes:
    info = tarfile.TarInfo()
    info.mode = MODE
    header = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    header[CHECKSUM_FIELD] = bytes(6)
    return bytes(header)
