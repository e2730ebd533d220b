"""Which FITS files belong to which galaxy: one with all bands, or one a band."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import PurePosixPath

from mergerscope.survey.fields import shown
from mergerscope.survey.flux.bands import FITS_ENDING, band_of_file, band_order, expand, reference_of
from mergerscope.survey.places import ImageIndex
from mergerscope.survey.records import ImageRefusedError

__all__ = ["FitsIndex"]


class FitsIndex(ImageIndex):
    """The FITS files of one place, found by name or galaxy by galaxy."""

    @cached_property
    def galaxies(self) -> dict[str, list[str]]:
        """Paths by what they have in common: the path without band and ending; sorted, bands by wavelength."""
        found: dict[str, list[tuple[tuple[int, str], str]]] = defaultdict(list)
        for path in sorted(self.problems):
            if FITS_ENDING.search(path):
                stem, band = band_of_file(path)
                found[stem].append((band_order(band) if band else (-1, ""), path))
        return {stem: [path for _, path in sorted(files)] for stem, files in found.items()}

    def find(self, filename: str) -> str:
        """Return the reference of the image that a row names: a file, several in braces, or what they have in common.

        Raises:
            ImageRefusedError: as `ImageIndex.find`, also ``not-fits`` or ``duplicate-band``.
        """
        for stem in (filename, f"{self.folder}/{filename}", filename.removeprefix(f"{self.folder}/")):
            if stem in self.galaxies:
                return self.reference(stem)
        names = expand(filename)
        other = next((name for name in names if not FITS_ENDING.search(name)), None)
        if other is not None:
            reason = "not-fits" if "." in PurePosixPath(other).name else "no-image"
            raise ImageRefusedError(reason, f"there is no FITS file {shown(other)}")
        return reference_of([ImageIndex.find(self, name) for name in names])

    def reference(self, stem: str) -> str:
        """Return the reference of one of `galaxies`, and remember that it was asked for.

        Raises:
            ImageRefusedError: ``duplicate-band``, or why a file cannot be read.
        """
        paths = self.galaxies[stem]
        self.asked.update(paths)
        bands = [band_of_file(path)[1] for path in paths]
        twice = sorted({str(band or "all") for band in bands if bands.count(band) > 1})
        if twice or (None in bands and len(bands) > 1):
            names = ", ".join(PurePosixPath(path).name for path in paths)
            raise ImageRefusedError("duplicate-band", f"several files hold the same band: {names}")
        for path in paths:
            problem = self.problems[path]
            if problem is not None:
                raise problem
            # they stand for several files in a reference
            if not {"{", "}", ","}.isdisjoint(path):
                raise ImageRefusedError("unsafe-path", f"{path!r} holds one of {{ }} , : rename it")
        return reference_of([self.prefix + path for path in paths])

    def unasked(self) -> Iterator[tuple[str, ImageRefusedError]]:
        """Yield reference and reason for every galaxy of which no row spoke, sorted."""
        for stem in sorted(self.galaxies):
            rest = [path for path in self.galaxies[stem] if path not in self.asked]
            if rest:
                reason = next((problem for path in rest if (problem := self.problems[path]) is not None), None)
                yield (
                    reference_of([self.prefix + path for path in rest]),
                    reason or ImageRefusedError("no-row", "no row of the table names this image"),
                )
