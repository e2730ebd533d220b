"""Reading flux against the bare library: ``python -m benchmarks.bench_formats``.

Synthetic galaxies of the published layouts, 152 px in g, r and z: FITS with an extension a band, plain and in gzip, and
HDF5 in chunks of one galaxy and of sixty-four. The library's way is the shortest that gets the same numbers:
``astropy.io.fits`` opens each file and takes the data, ``h5py`` reads the rows one stretch after another. Ours is
`FluxStore.read_many` with all its checks, units and NaN, and `write_shards`, which also cuts, scales, writes and
digests. Both are timed in CPU seconds of one process, in turn, and the median of the ratios is printed.
"""

from __future__ import annotations

import gzip
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from astropy.io import fits

from mergerscope.params import ShardParams, SplitParams, SurveyParams, TargetParams
from mergerscope.shards.writer import write_shards
from mergerscope.survey.catalog import Catalog, build_catalog, read_catalog, write_catalog
from mergerscope.survey.flux.image import FluxImage, FluxSpec
from mergerscope.survey.flux.store import FluxStore
from mergerscope.survey.images import ImageStore

SIDE = 152
BANDS = ("g", "r", "z")
FITS_FILES = 300
HDF5_ROWS = 1280
STRETCH = 64
REPEATS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        planes = np.random.default_rng(1).normal(0, 1, (HDF5_ROWS, len(BANDS), SIDE, SIDE)).astype(np.float32)
        for kind, ending in (("fits", ".fits"), ("fits_gzip", ".fits.gz")):
            compare(kind, write_fits(here / kind, planes[:FITS_FILES], ending), bare_fits, "astropy.io.fits")
        for chunk in (1, 64):
            kind = f"hdf5_chunk{chunk}"
            compare(kind, write_hdf5(here / kind, planes, chunk), bare_hdf5, f"h5py in stretches of {STRETCH} rows")


def compare(kind: str, root: Path, bare: Callable[[Path], int], library: str) -> None:
    """Print a line for reading and one for packing."""
    catalog = catalogue(root)

    def read() -> None:
        assert read_all(root, catalog.image.tolist()) == len(catalog)

    def pack() -> None:
        params = ShardParams(crop=1.0, size=64, workers=1)
        write_shards(catalog, root, root.with_name("shards"), params, [], scratch=root.with_name("scratch"))

    for way, ours in (("read", read), ("pack", pack)):
        ratios = []
        for _ in range(REPEATS):
            theirs_s = seconds(lambda: bare(root))
            ratios.append(theirs_s / seconds(ours))
        print(
            f"{kind}_{way} {statistics.median(ratios):.2f} galaxies/s "
            f"{'FluxStore' if way == 'read' else 'write_shards to 64 px'} against {library}, which only reads "
            f"({len(catalog)} galaxies of {len(BANDS)} x {SIDE} x {SIDE} px, one process)",
            flush=True,
        )


def read_all(root: Path, references: list[str]) -> int:
    with ImageStore.open(root) as images, FluxStore(images, FluxSpec(BANDS, "", None)) as store:
        return sum(isinstance(found, FluxImage) for _, found in store.read_many(references))


def bare_fits(root: Path) -> int:
    count = 0
    for path in sorted((root / "images").iterdir()):
        with fits.open(path, memmap=False) as file:
            count += np.stack([np.asarray(hdu.data, np.float32) for hdu in file[1:]]).ndim == 3
    return count


def bare_hdf5(root: Path) -> int:
    with h5py.File(root / "images.h5") as file:
        images = file["images"]
        return sum(len(images[start : start + STRETCH]) for start in range(0, len(images), STRETCH))


def write_fits(root: Path, planes: np.ndarray, ending: str) -> Path:
    (root / "images").mkdir(parents=True)
    for number, galaxy in enumerate(planes):
        hdus = fits.HDUList([fits.PrimaryHDU()])
        for band, plane in zip(BANDS, galaxy, strict=True):
            hdus.append(fits.ImageHDU(plane))
            hdus[-1].header["FILTER"] = band
            hdus[-1].header["BUNIT"] = "nanomaggy"
        buffer = io.BytesIO()
        hdus.writeto(buffer)
        data = buffer.getvalue()
        path = root / "images" / f"g{number:05d}{ending}"
        path.write_bytes(gzip.compress(data, 1) if ending.endswith(".gz") else data)
    (root / "labels.csv").write_text("id,merger\ng00000,1\n")
    return root


def write_hdf5(root: Path, planes: np.ndarray, chunk: int) -> Path:
    root.mkdir()
    with h5py.File(root / "images.h5", "w") as file:
        file.create_dataset("images", data=planes, chunks=(chunk, *planes.shape[1:]))
        file["inds"] = np.arange(1_000_000, 1_000_000 + len(planes))
    (root / "labels.csv").write_text("id,merger\n1000000,1\n")
    return root


def catalogue(root: Path) -> Catalog:
    result = build_catalog(root, SurveyParams(), TargetParams(column="merger"), SplitParams(), workers=1)
    write_catalog(result.table, root.with_name("catalog.parquet"))
    return read_catalog(root.with_name("catalog.parquet"))


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


if __name__ == "__main__":
    main()
