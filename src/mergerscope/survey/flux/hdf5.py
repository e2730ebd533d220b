"""HDF5 in the layout of the ssl-legacysurvey data (Stein et al. 2021, arXiv:2110.13151).

A file holds ``images`` (n, 3, side, side) of floats, the g, r and z bands in nanomaggies a pixel, and beside it columns
of n numbers: ``inds`` (whole numbers that name the galaxies), ``ra``, ``dec``, ``ebv``; others are not read. Another
number of bands is named by an attribute ``bands`` of ``images``, the side of a pixel on the sky by ``pixel_arcsec``.
The rows of an image go up, as in the FITS files that they come from, and are turned over here. Files hold up to a
million galaxies and 277 GB, so rows of the file are read in their order on disk, a stretch at a time, never a file.

A file comes from anybody: what it links to outside of itself, HDF5's external links, external storage and virtual
datasets, is not followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from mergerscope.errors import MissingExtraError
from mergerscope.survey.flux.bands import known_band
from mergerscope.survey.flux.image import MAX_PIXELS, Planes
from mergerscope.survey.flux.pixel import LARGEST
from mergerscope.survey.records import ImageRefusedError

__all__ = ["HDF5_ROW", "ImageFile", "hdf5_files"]

HDF5_ROW = re.compile(r"(?P<file>.+\.(?:h5|hdf5))::(?P<row>\d+)", re.IGNORECASE)
"""Reference of one galaxy: ``images.h5::123`` is row 123, counted from 0."""
PATTERNS = ("*.h5", "*.hdf5")
BANDS = ("g", "r", "z")
COLUMNS = ("inds", "ra", "dec", "ebv")
CACHE_BYTES = 128 * 2**20
"""Chunks that stay unpacked between reads; a chunk may hold many galaxies."""
MAX_CHUNK_BYTES = 2**28
STRETCH_BYTES = 32 * 2**20
"""Read at once where rows follow each other."""
SMALL_BYTES = 2**24
MOST_PACKED = 2000
"""Times that data above `SMALL_BYTES` may be larger than what is stored of them: gzip comes to 1032, and rows that were
claimed and never written take no place at all."""


def hdf5_files(root: Path) -> list[str]:
    """Return the HDF5 files of a survey: below its root, not in folders of it; names sorted."""
    return sorted({path.name for pattern in PATTERNS for path in root.glob(pattern) if not path.name.startswith(".")})


class ImageFile:
    """One open file whose images may be read; a context manager."""

    def __init__(self, path: Path) -> None:
        """Open and check ``path``.

        Raises:
            MissingExtraError: h5py is not installed.
            ImageRefusedError: ``not-hdf5`` (also a truncated file), ``no-images``, ``outside-link``, ``zip-bomb``,
                ``wrong-dtype``, ``wrong-shape`` or ``too-large``.
        """
        try:
            import h5py
        except ImportError:
            raise MissingExtraError("h5py", "hdf5", "reading HDF5") from None
        self.name = path.name
        try:
            self._file: Any = h5py.File(path, "r", rdcc_nbytes=CACHE_BYTES, rdcc_nslots=10007)
        except (OSError, RuntimeError) as error:
            raise ImageRefusedError("not-hdf5", f"{path.name} cannot be opened: {_brief(error)}") from None
        try:
            self._images = self._dataset("images")
            self._check()
            self.bands = self._bands()
            self.pixel_arcsec = self._pixel_arcsec()
            """Side of a pixel on the sky; None where the file tells none that can be one, for it is a hint."""
            self.strange_side = self.pixel_arcsec is None and "pixel_arcsec" in self._images.attrs
            """Whether it tells something that is none."""
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> ImageFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        """Return the number of galaxies."""
        return int(self._images.shape[0])

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        channels, height, width = self._images.shape[1:]
        return int(channels), int(height), int(width)

    @property
    def chunk_rows(self) -> int:
        """Galaxies that are stored, and so unpacked, together."""
        return int(self._images.chunks[0]) if self._images.chunks else 1

    def column(self, name: str, start: int = 0, stop: int | None = None) -> npt.NDArray[Any] | None:
        """Return the rows ``start:stop`` of a column of numbers, or None where there is no such column.

        Raises:
            ImageRefusedError: ``wrong-shape`` or ``wrong-dtype``, ``outside-link``, ``zip-bomb``, ``corrupt-image``.
        """
        # by its link, for the lookup of a name follows it out of the file
        if self._file.get(name, getlink=True) is None:
            return None
        data = self._dataset(name)
        if data.shape[:1] != self._images.shape[:1] or prod(data.shape[1:]) != 1:
            raise ImageRefusedError("wrong-shape", f"{self.name}: {name} has {data.shape} for {len(self)} images")
        if data.dtype.kind not in "iuf":
            raise ImageRefusedError("wrong-dtype", f"{self.name}: {name} is {data.dtype} and no number")
        try:
            return np.asarray(data[start:stop]).reshape(-1)
        except (OSError, RuntimeError) as error:
            raise ImageRefusedError("corrupt-image", f"{self.name}: {name}: {_brief(error)}") from None

    def read(self, rows: Sequence[int]) -> Iterator[tuple[int, Planes | ImageRefusedError]]:
        """Yield each of ``rows`` and its image (C, H, W), in the order of the file; ``rows`` may have any order.

        The top of an image is its row 0; what is not finite is NaN. A row that cannot be read is yielded with the
        reason.
        """
        limit = max(STRETCH_BYTES // (4 * prod(self.image_shape)), 1)
        ascending = sorted(set(rows))
        at = 0
        while at < len(ascending):
            stop = at + 1
            while stop < len(ascending) and stop - at < limit and ascending[stop] == ascending[stop - 1] + 1:
                stop += 1
            stretch = ascending[at:stop]
            yield from zip(stretch, self._stretch(stretch), strict=True)
            at = stop

    def _stretch(self, rows: list[int]) -> Iterator[Planes | ImageRefusedError]:
        if rows[-1] >= len(self):
            for row in rows:
                yield ImageRefusedError("no-image", f"{self.name} has {len(self)} rows and no row {row}")
            return
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold becomes infinite, then NaN
                images = np.asarray(self._images[rows[0] : rows[-1] + 1], np.float32)[..., ::-1, :]
        except (OSError, RuntimeError) as error:
            if len(rows) > 1:  # one damaged chunk shall not take its neighbours along
                for row in rows:
                    yield from self._stretch([row])
                return
            yield ImageRefusedError("corrupt-image", f"{self.name}: row {rows[0]}: {_brief(error)}")
            return
        observed = np.isfinite(images)
        if not observed.all():  # seldom, and three times as slow
            images[~observed] = np.nan
        yield from images

    def _dataset(self, name: str) -> Any:
        import h5py

        link = self._file.get(name, getlink=True)
        if link is None:
            raise ImageRefusedError(
                "no-images", f"{self.name} has no dataset {name!r}; it has: {', '.join(sorted(self._file)[:10])}"
            )
        data = self._file.get(name) if isinstance(link, h5py.HardLink) else None
        if not isinstance(link, h5py.HardLink) or getattr(data, "external", None) or getattr(data, "is_virtual", False):
            raise ImageRefusedError("outside-link", f"{self.name}: {name} is a link; its data must lie in the file")
        if not isinstance(data, h5py.Dataset):
            raise ImageRefusedError("no-images", f"{self.name}: {name} is a {type(data).__name__} and no dataset")
        claimed, stored = prod(data.shape or ()) * data.dtype.itemsize, data.id.get_storage_size()
        if claimed > max(SMALL_BYTES, MOST_PACKED * stored):
            raise ImageRefusedError("zip-bomb", f"{self.name}: {name} claims {claimed} bytes and stores {stored}")
        return data

    def _check(self) -> None:
        shape, dtype = self._images.shape, self._images.dtype
        if dtype.kind != "f":
            raise ImageRefusedError("wrong-dtype", f"{self.name}: images are {dtype}; float32 flux is due")
        if len(shape) != 4 or not prod(shape):
            raise ImageRefusedError("wrong-shape", f"{self.name}: images have {shape}, not (n, bands, rows, columns)")
        if prod(shape[1:]) > MAX_PIXELS:
            raise ImageRefusedError("too-large", f"{self.name}: {prod(shape[1:])} pixels an image, above {MAX_PIXELS}")
        chunk_bytes = prod(self._images.chunks or (0,)) * dtype.itemsize
        if chunk_bytes > MAX_CHUNK_BYTES:
            raise ImageRefusedError("too-large", f"{self.name}: chunks of {chunk_bytes} bytes, above {MAX_CHUNK_BYTES}")

    def _bands(self) -> tuple[str, ...]:
        count = self.image_shape[0]
        named = self._images.attrs.get("bands")
        if named is None:
            if count != len(BANDS):
                raise ImageRefusedError(
                    "wrong-shape", f"{self.name}: images have {count} bands; an attribute `bands` must name them"
                )
            return BANDS
        words = named.split(",") if isinstance(named, str) else list(np.atleast_1d(named))
        texts = [word.decode() if isinstance(word, bytes) else str(word).strip() for word in words]
        bands = tuple(known_band(text) or text for text in texts)
        if len(bands) != count or len(set(bands)) != count:
            raise ImageRefusedError("wrong-shape", f"{self.name}: `bands` names {', '.join(texts)} for {count} bands")
        return bands

    def _pixel_arcsec(self) -> float | None:
        told = np.asarray(self._images.attrs.get("pixel_arcsec"))
        if told.size != 1 or told.dtype.kind not in "iuf":
            return None
        side = float(told.item())
        return side if 0 < side < LARGEST else None


def _brief(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
