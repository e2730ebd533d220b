"""The bytes of a survey's images, from a folder or a zip, by the reference that the catalogue holds."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import TracebackType

from mergerscope.errors import SurveyError
from mergerscope.survey.archive import MAX_IMAGE_BYTES, Archive, check_relative_path
from mergerscope.survey.records import ImageRefusedError

__all__ = ["MEMBER", "ImageStore"]

MEMBER = "::"
"""Stands between a zip and the path within it: ``images.zip::inner/path.jpg``."""

NOT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Flags that differ between systems: a pipe does not block, and Windows changes no line ends."""


class ImageStore:
    """Reads image files below one root; a context manager, one a process.

    A reference cannot leave the root: absolute paths and ``..`` are refused. A link *inside a folder* is followed,
    for only the folder's owner can have made it, and DVC's link caches consist of them; a link inside a zip comes
    from whoever packed it, and is refused.
    """

    def __init__(self, root: Path) -> None:
        """Read below ``root``."""
        self.root = root
        self._archives: dict[str, Archive] = {}

    @classmethod
    def open(cls, root: Path) -> ImageStore:
        """Return the store of the survey at ``root``; close it by leaving a ``with`` block.

        Raises:
            SurveyError: ``root`` is no folder.
        """
        if not root.is_dir():
            raise SurveyError(f"{root} is no folder. Put the survey there, or set survey.root in params.yaml.")
        return cls(root)

    def __enter__(self) -> ImageStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for archive in self._archives.values():
            archive.__exit__(kind, error, trace)
        self._archives.clear()

    def read(self, image: str) -> bytes:
        """Return the bytes of one image file.

        Args:
            image: path relative to the root, or ``images.zip::inner/path.jpg``.

        Raises:
            ImageRefusedError: not there, outside the root, too large, or not allowed (see `archive`).
            SurveyError: the zip itself cannot be read.
        """
        name, _, inner = image.partition(MEMBER)
        check_relative_path(name)
        if inner:
            return self._archive(name).read(inner)
        return self._read_file(self.root / name, name)

    def _archive(self, name: str) -> Archive:
        if name not in self._archives:
            self._archives[name] = Archive(self.root / name)
        return self._archives[name]

    def _read_file(self, path: Path, name: str) -> bytes:
        try:
            # Opened once for both size and content; without waiting, for a pipe without a writer would block.
            file = os.open(path, os.O_RDONLY | NOT_WAITING)
            try:
                info = os.fstat(file)
                if not stat.S_ISREG(info.st_mode):
                    raise ImageRefusedError("no-image", f"{name} is no file")
                if info.st_size > MAX_IMAGE_BYTES:
                    raise ImageRefusedError("too-large", f"{name} has {info.st_size} bytes; at most {MAX_IMAGE_BYTES}")
                return _read_all(file, info.st_size)
            finally:
                os.close(file)
        except OSError as error:
            raise ImageRefusedError("no-image", f"{name} cannot be read: {error.strerror}") from None


def _read_all(file: int, size: int) -> bytes:
    data = os.read(file, size + 1)
    if len(data) == size:
        return data
    parts = [data]  # one call may give less than it was asked for
    while part := os.read(file, MAX_IMAGE_BYTES):
        parts.append(part)
    return b"".join(parts)
