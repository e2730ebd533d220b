"""Which images a survey has: one folder or one zip of them, listed once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from mergerscope.survey.archive import Archive, check_relative_path, is_hidden
from mergerscope.survey.fields import shown
from mergerscope.survey.images import MEMBER
from mergerscope.survey.records import ImageRefusedError

__all__ = ["ENDINGS", "ImageIndex", "index_folder", "index_zip"]

ENDINGS = (".jpg", ".jpeg", ".png")
"""Files that count as images of the survey when no row speaks of them, in any case of letters."""


class ImageIndex:
    """The images of one place, found by the file name that a row gives."""

    def __init__(self, root: Path, prefix: str, folder: str, problems: dict[str, ImageRefusedError | None]) -> None:
        """Take a listing.

        Args:
            root: of the survey.
            prefix: what makes a reference of a path within the place: ``images/`` or ``images.zip::``.
            folder: a folder name that rows may put before the path, or leave away: ``images``.
            problems: every file within the place, with the reason why it cannot be read, or None.
        """
        self.root = root
        self.prefix = prefix
        self.folder = folder
        self.problems = problems
        self.asked: set[str] = set()

    def find(self, filename: str) -> str:
        """Return the reference of the image that a row names, and remember that a row spoke of it.

        The name may be relative to the place or to the survey's root.

        Raises:
            ImageRefusedError: ``no-image``, ``unsafe-path``, or why the image cannot be read.
        """
        for path in (filename, f"{self.folder}/{filename}", filename.removeprefix(f"{self.folder}/")):
            if path in self.problems:
                self.asked.add(path)
                problem = self.problems[path]
                if problem is not None:
                    raise ImageRefusedError(problem.reason, problem.detail)
                return self.prefix + path
        check_relative_path(filename)
        for path in (filename, f"{self.folder}/{filename}"):  # elsewhere in the survey, or in a linked folder
            if MEMBER not in path and _is_file(self.root / path):
                return path
        raise ImageRefusedError("no-image", f"there is no file {shown(filename)}")

    def unasked(self) -> Iterator[tuple[str, ImageRefusedError]]:
        """Yield reference and reason of every image that no row spoke of, sorted; other files do not count."""
        for path in sorted(self.problems.keys() - self.asked):
            if not path.lower().endswith(ENDINGS):
                continue
            reason = self.problems[path] or ImageRefusedError("no-row", "no row of the table names this image")
            yield self.prefix + path, reason


Index = TypeVar("Index", bound=ImageIndex)


def index_folder(root: Path, folder: str, kind: type[Index]) -> Index:
    """List the files of ``root/folder`` and below; an empty ``folder`` is the root itself.

    Args:
        root: of the survey.
        folder: within it.
        kind: how its files are found again.
    """
    top = root / folder
    problems: dict[str, ImageRefusedError | None] = {}
    for where, _, names in os.walk(top, followlinks=False):
        inside = Path(where).relative_to(top)
        for name in names:
            path = (inside / name).as_posix()
            if not is_hidden(path):
                problems[path] = _member_sign(path)
    return kind(root, f"{folder}/" if folder else "", folder or ".", problems)


def index_zip(root: Path, name: str, kind: type[Index]) -> Index:
    """List the files of the zip ``root/name``, with those that may not be read.

    Raises:
        SurveyError: it cannot be read as a zip.
    """
    with Archive(root / name) as archive:
        problems = {path: archive.problem(path) for path in archive.members if not is_hidden(path)}
    return kind(root, name + MEMBER, Path(name).stem, problems)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name longer than the file system takes
        return False


def _member_sign(path: str) -> ImageRefusedError | None:
    if MEMBER in path:
        return ImageRefusedError("unsafe-path", f"{path!r} holds {MEMBER!r}, which stands for a member of a zip")
    return None
