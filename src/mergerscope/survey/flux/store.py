"""Flux by the reference that the catalogue holds: FITS files, in folders or zips, and rows of HDF5 files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType

import numpy as np

from mergerscope.survey.archive import check_relative_path
from mergerscope.survey.flux.bands import expand
from mergerscope.survey.flux.fits_file import read_fits
from mergerscope.survey.flux.hdf5 import HDF5_ROW, ImageFile
from mergerscope.survey.flux.image import NANOMAGGY, FluxImage, FluxSpec, Planes
from mergerscope.survey.images import ImageStore
from mergerscope.survey.records import ImageRefusedError

__all__ = ["FluxStore"]


class FluxStore:
    """Reads flux below one root; a context manager, one a process. HDF5 files stay open until it is left."""

    def __init__(self, images: ImageStore, spec: FluxSpec, *, want_position: bool = False) -> None:
        """Read what ``images`` gives as ``spec`` says."""
        self.images = images
        self.spec = spec
        self.want_position = want_position
        self._stack = ExitStack()
        self._files: dict[str, ImageFile] = {}

    def __enter__(self) -> FluxStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self._files.clear()

    def read_many(self, references: Sequence[str]) -> Iterator[tuple[int, FluxImage | ImageRefusedError]]:
        """Yield the position in ``references`` and the image, or why it cannot be read.

        FITS files come in the order given; rows of HDF5 files after them, in the order in which they lie on disk.
        """
        rows: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for position, reference in enumerate(references):
            match = HDF5_ROW.fullmatch(reference)
            if match is None:
                yield position, self._read_fits(reference)
            else:
                rows[match["file"]][int(match["row"])].append(position)
        for name, positions in rows.items():
            yield from self._read_rows(name, positions)

    def _read_fits(self, reference: str) -> FluxImage | ImageRefusedError:
        try:
            files = [(name, self.images.read(name)) for name in expand(reference)]
            return read_fits(files, self.spec, want_position=self.want_position)
        except ImageRefusedError as refused:
            return refused

    def _read_rows(
        self, name: str, positions: dict[int, list[int]]
    ) -> Iterator[tuple[int, FluxImage | ImageRefusedError]]:
        try:
            file = self._open(name)
            keep = self._kept(file)
        except ImageRefusedError as refused:
            yield from ((position, refused) for places in positions.values() for position in places)
            return
        bands = tuple(file.bands[channel] for channel in keep)
        for row, found in file.read(list(positions)):
            image = found if isinstance(found, ImageRefusedError) else FluxImage(
                bands, _picked(found, keep), NANOMAGGY, pixel_arcsec=file.pixel_arcsec
            )  # fmt: skip
            yield from ((position, image) for position in positions[row])

    def _open(self, name: str) -> ImageFile:
        if name not in self._files:
            check_relative_path(name)
            self._files[name] = self._stack.enter_context(ImageFile(self.images.root / name))
        return self._files[name]

    def _kept(self, file: ImageFile) -> list[int]:
        keep = [file.bands.index(band) for band in self.spec.bands or file.bands if band in file.bands]
        if not keep:
            raise ImageRefusedError(
                "missing-band", f"none of {', '.join(self.spec.bands)}; {file.name} has {', '.join(file.bands)}"
            )
        return keep


def _picked(planes: Planes, keep: list[int]) -> Planes:
    return planes if keep == list(range(len(planes))) else np.ascontiguousarray(planes[keep])
