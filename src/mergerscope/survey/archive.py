"""Zip files from anybody, read in place: nothing is unpacked to disk and no member is trusted.

A member is never read when its path climbs out (``..``, absolute, backslashes), when it is a symbolic link,
encrypted, ambiguous (its name appears twice), or when it unpacks to more than a cutout can hold.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO

from mergerscope.errors import SurveyError
from mergerscope.survey.records import ImageRefusedError

__all__ = ["MAX_IMAGE_BYTES", "MAX_RATIO", "Archive", "check_relative_path", "is_hidden"]

MAX_IMAGE_BYTES = 64 * 2**20
"""Of one image file, packed or plain."""
MAX_RATIO = 100
"""Unpacked over packed size. Images hardly compress and tables tenfold; a bomb does a thousandfold."""
RATIO_FROM_BYTES = 2**20
"""Small members may compress as well as they like: a blank picture is no bomb."""

ENCRYPTED = 0x1
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError)


class Archive:
    """An open zip; a context manager."""

    def __init__(self, path: Path, max_bytes: int = MAX_IMAGE_BYTES) -> None:
        """Open ``path``; members of more than ``max_bytes`` are refused.

        Raises:
            SurveyError: it is no zip, or a damaged one.
        """
        self.name = path.name
        self.max_bytes = max_bytes
        try:
            self._zip = zipfile.ZipFile(path)
        except DAMAGE as error:
            raise SurveyError(f"{path} cannot be read as a zip ({error}). Download or pack it again.") from None
        self.members: dict[str, zipfile.ZipInfo] = {}
        self._repeated: set[str] = set()
        for member in self._zip.infolist():
            if member.filename in self.members:
                self._repeated.add(member.filename)
            if not member.is_dir():
                self.members[member.filename] = member

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def problem(self, name: str) -> ImageRefusedError | None:
        """Say why the member ``name`` may not be read, from the directory alone; None if it may."""
        try:
            check_relative_path(name)
        except ImageRefusedError as refused:
            return refused
        member = self.members[name]
        if stat.S_ISLNK(member.external_attr >> 16):
            return ImageRefusedError("link", f"{name} is a symbolic link")
        if name in self._repeated:
            return ImageRefusedError("duplicate-member", f"{name} appears twice in {self.name}")
        if member.flag_bits & ENCRYPTED:
            return ImageRefusedError("encrypted-member", f"{name} needs a password; pack it without")
        size, packed = member.file_size, max(member.compress_size, 1)
        if size > self.max_bytes:
            return ImageRefusedError("too-large", f"{name} unpacks to {size} bytes; at most {self.max_bytes}")
        if size > RATIO_FROM_BYTES and size > MAX_RATIO * packed:
            return ImageRefusedError("zip-bomb", f"{name} unpacks {packed} bytes to {size}")
        return None

    def open(self, name: str) -> IO[bytes]:
        """Open one member for reading in bounded pieces; what it unpacks to was checked.

        Raises:
            ImageRefusedError: not there, not allowed, or damaged.
        """
        if name not in self.members:
            raise ImageRefusedError("no-image", f"{self.name} has no member {name!r}")
        problem = self.problem(name)
        if problem is not None:
            raise problem
        try:
            return self._zip.open(self.members[name])
        except (*DAMAGE, RuntimeError) as error:
            raise ImageRefusedError("corrupt-member", f"{name} in {self.name}: {error}") from None

    def read(self, name: str) -> bytes:
        """Unpack one member.

        Raises:
            ImageRefusedError: not there, not allowed, or damaged.
        """
        with self.open(name) as stream:
            try:
                # A number, for without one zipfile inflates all that is packed before it looks at the size that the
                # directory claims; and one byte more than claimed, so that it checks the CRC.
                return stream.read(self.members[name].file_size + 1)
            except DAMAGE as error:
                raise ImageRefusedError("corrupt-member", f"{name} in {self.name}: {error}") from None


def check_relative_path(path: str) -> None:
    """Refuse a path that is absolute, climbs out, or means different things on different systems.

    Raises:
        ImageRefusedError: ``unsafe-path``.
    """
    parts = path.split("/")
    if not path or ".." in parts or path.startswith("/") or "\\" in path or "\0" in path or parts[0].endswith(":"):
        raise ImageRefusedError("unsafe-path", f"{path!r} is no path inside the survey")


def is_hidden(path: str) -> bool:
    """Whether a file is bookkeeping of an operating system (``.DS_Store``, ``__MACOSX/._1.jpg``), not the survey's."""
    return any(part == "__MACOSX" or part.startswith(".") for part in path.split("/") if part not in {".", ".."})
