"""Compressed files, unpacked in memory and never beyond a bound."""

from __future__ import annotations

import bz2
import zlib

from mergerscope.survey.archive import MAX_IMAGE_BYTES
from mergerscope.survey.records import ImageRefusedError

__all__ = ["MAX_UNPACKED", "unpack"]

MAX_UNPACKED = 2 * MAX_IMAGE_BYTES
"""Bytes: an image of `image.MAX_PIXELS` in float32, and as much of other extensions."""
GZIP = b"\x1f\x8b"
BZIP2 = b"BZh"


def unpack(data: bytes, name: str) -> bytes:
    """Return the content of a gzip or bzip2 file, told by its first bytes; anything else as it is.

    Raises:
        ImageRefusedError: ``zip-bomb``, ``truncated`` or ``corrupt-image``.
    """
    if not data.startswith((GZIP, BZIP2)):
        return data
    parts: list[bytes] = []
    room = MAX_UNPACKED + 1
    rest = data
    try:
        while rest.startswith((GZIP, BZIP2)) and room > 0:  # a file may hold several streams, one behind the other
            if rest.startswith(GZIP):
                inflate = zlib.decompressobj(wbits=31)
                parts.append(inflate.decompress(rest, room))
                finished, rest = inflate.eof, inflate.unused_data
            else:
                bunzip = bz2.BZ2Decompressor()
                parts.append(bunzip.decompress(rest, room))
                finished, rest = bunzip.eof, bunzip.unused_data
            room -= len(parts[-1])
            if room > 0 and not finished:
                raise ImageRefusedError("truncated", f"{name}: {len(data)} bytes end within the compressed stream")
    except (zlib.error, OSError, ValueError) as error:
        raise ImageRefusedError("corrupt-image", f"{name} cannot be unpacked: {error}") from None
    if room <= 0:
        raise ImageRefusedError("zip-bomb", f"{name} unpacks {len(data)} bytes to more than {MAX_UNPACKED}")
    return b"".join(parts)
