"""Which files make one galaxy: a picture is one, and so are FITS files of one band each that share a name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mergerscope.survey.flux.bands import FITS_ENDING, band_of_file, expand
from mergerscope.survey.flux.places import FitsIndex
from mergerscope.survey.places import ENDINGS
from mergerscope.survey.records import ImageRefusedError

__all__ = ["Shot", "shot_of", "shots_in"]


@dataclass(frozen=True, slots=True)
class Shot:
    """The files of one galaxy, all in one folder."""

    folder: Path
    reference: str
    """As in a catalogue: ``a.jpg``, ``a.fits`` or ``a_{g,r}.fits``."""
    problem: ImageRefusedError | None = None
    """Why the files do not go together."""

    @property
    def is_picture(self) -> bool:
        """Whether it is called a JPEG or PNG."""
        return self.reference.lower().endswith(ENDINGS)

    @property
    def is_fits(self) -> bool:
        """Whether it is called a FITS file."""
        return FITS_ENDING.search(expand(self.reference)[0]) is not None

    @property
    def stem(self) -> str:
        """The name without ending, and of FITS files without band."""
        return band_of_file(expand(self.reference)[0])[0] if self.is_fits else Path(self.reference).stem

    @property
    def files(self) -> frozenset[Path]:
        """Its files; equal ones are equal however they were named."""
        return frozenset((self.folder / name).resolve() for name in expand(self.reference))


def shots_in(folder: Path) -> list[Shot]:
    """Return what lies in a folder, not in those within it, in the order of its names; hidden files do not count."""
    names = _names(folder)
    shots = [Shot(folder, name) for name in names if name.lower().endswith(ENDINGS)]
    shots += [_together(folder, names, stem) for stem in _index(folder, names).galaxies]
    return sorted(shots, key=lambda shot: shot.reference)


def shot_of(path: Path) -> Shot:
    """Return what a name stands for, whether it is there or not.

    Of files of one band each any will do (``a_g.fits``), what their names have in common (``a``), and some of them in
    braces (``a_{g,r}.fits``).
    """
    folder, name = path.parent, path.name
    if path.is_file():
        stem, band = band_of_file(name)
        if FITS_ENDING.search(name) is None:
            return Shot(folder, name)
        # a.fits beside a_g.fits is meant alone
        others = [other for other in _names(folder) if band_of_file(other)[1] is not None] if band else []
        return _together(folder, {name, *others}, stem)
    names = _names(folder) if folder.is_dir() else []
    if name in _index(folder, names).galaxies:
        return _together(folder, names, name)
    return Shot(folder, name)


def _together(folder: Path, names: Iterable[str], stem: str) -> Shot:
    index = _index(folder, names)
    try:
        return Shot(folder, index.reference(stem))
    except ImageRefusedError as problem:
        return Shot(folder, index.galaxies[stem][0], problem)


def _index(folder: Path, names: Iterable[str]) -> FitsIndex:
    return FitsIndex(folder, "", ".", dict.fromkeys(names))


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if not file.name.startswith(".") and not file.is_dir())
