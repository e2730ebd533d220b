"""Surveys of flux on disk: FITS files and HDF5 files, made as surveys write them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from mergerscope.params import SplitParams, SurveyParams, TargetParams
from mergerscope.survey.catalog import Catalog, CatalogResult, build_catalog, read_catalog, write_catalog

Header = Mapping[str, Any]


def flux(seed: int, bands: int = 3, height: int = 20, width: int = 24) -> np.ndarray:
    """Return (C, H, W) float32, different for each seed, band and pixel."""
    return np.random.default_rng(seed).normal(0.1 * seed, 1, (bands, height, width)).astype(np.float32)


def sky(ra: float, dec: float, height: int = 20, width: int = 24, scale: float = 0.262) -> dict[str, Any]:
    """Return the header of a TAN projection whose middle is at ``ra``, ``dec``."""
    return {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": ra, "CRVAL2": dec, "CRPIX1": (width + 1) / 2,
        "CRPIX2": (height + 1) / 2, "CD1_1": -scale / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": scale / 3600,
        "RADESYS": "ICRS",
    }  # fmt: skip


def image(data: np.ndarray, header: Header, *, primary: bool = False, compress: bool = False) -> Any:
    kind = fits.CompImageHDU if compress else fits.PrimaryHDU if primary else fits.ImageHDU
    hdu = kind(data)
    for key, value in header.items():
        hdu.header[key] = value
    return hdu


def file_of(*hdus: Any) -> bytes:
    first = hdus[0] if isinstance(hdus[0], fits.PrimaryHDU) else fits.PrimaryHDU()
    buffer = io.BytesIO()
    fits.HDUList([first, *(hdu for hdu in hdus if hdu is not first)]).writeto(buffer)
    return buffer.getvalue()


def one_band(data: np.ndarray, **header: Any) -> bytes:
    """One image in the primary extension, rows going up as in FITS."""
    return file_of(image(data, header, primary=True))


def several_bands(planes: np.ndarray, bands: str = "grz", **header: Any) -> bytes:
    """One extension a band."""
    return file_of(*(image(plane, {**header, "FILTER": band}) for band, plane in zip(bands, planes, strict=True)))


class Made:
    """Writers of FITS, and the reader of a whole survey."""

    flux = staticmethod(flux)
    sky = staticmethod(sky)
    image = staticmethod(image)
    file_of = staticmethod(file_of)
    one_band = staticmethod(one_band)
    several_bands = staticmethod(several_bands)

    @staticmethod
    def write(root: Path, files: Mapping[str, bytes | str]) -> Path:
        for name, data in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return root

    @staticmethod
    def build(root: Path, **settings: Any) -> CatalogResult:
        given = {"survey": SurveyParams(), "target": TargetParams(column="merger"), "split": SplitParams()}
        return build_catalog(root, **(given | {"workers": 1} | settings))

    @staticmethod
    def catalog(result: CatalogResult, folder: Path) -> Catalog:
        write_catalog(result.table, folder / "catalog.parquet")
        return read_catalog(folder / "catalog.parquet")


@pytest.fixture(scope="session")
def made() -> Made:
    return Made()


@pytest.fixture
def hdf5(tmp_path: Path) -> Callable[..., Path]:
    """Write an HDF5 file in the layout of the ssl-legacysurvey data."""
    h5py = pytest.importorskip("h5py")

    def make(name: str = "images.h5", rows: int = 12, first: int = 1000, **columns: Any) -> Path:
        root = tmp_path / "survey"
        root.mkdir(exist_ok=True)
        rng = np.random.default_rng(first)
        data: dict[str, Any] = {
            "images": rng.normal(0, 1, (rows, 3, 16, 16)).astype(np.float32),
            "inds": np.arange(first, first + rows),
            "ra": rng.uniform(0, 360, rows),
            "dec": rng.uniform(-30, 60, rows),
            "ebv": rng.uniform(0, 0.2, rows).astype(np.float32),
            "z_spec": np.full(rows, -99.0),
            "flux": np.ones((rows, 3)),
            "source_type": np.array([b"DEV"] * rows),
        }
        with h5py.File(root / name, "w") as file:
            for key, value in (data | columns).items():
                if value is not None:
                    chunks = (min(4, len(value)), *value.shape[1:]) if key == "images" else None
                    file.create_dataset(key, data=value, chunks=chunks)
        return root

    return make
