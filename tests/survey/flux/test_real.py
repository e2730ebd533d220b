"""The readers on real FITS cutouts of four surveys, where they are at hand."""

from __future__ import annotations

import csv
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from mergerscope.params import ShardParams
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_images
from mergerscope.shards.writer import write_shards
from mergerscope.survey.catalog import Catalog, CatalogResult
from mergerscope.survey.flux.fits_file import read_fits
from mergerscope.survey.flux.image import FluxSpec

pytestmark = pytest.mark.real


@pytest.fixture
def real() -> Path:
    folder = os.environ.get("MERGERSCOPE_REAL_FITS")
    if not folder:
        pytest.skip("MERGERSCOPE_REAL_FITS is not set")
    return Path(folder)


def read(made: Any, root: Path, files: Path, labels: str, **more: Any) -> tuple[CatalogResult, Catalog, Manifest]:
    root.mkdir()
    (root / "images").symlink_to(files, target_is_directory=True)
    (root / "labels.csv").write_text(labels)
    result = made.build(root, **more)
    catalog = made.catalog(result, root)
    params = ShardParams(workers=1, max_refused=1.0)
    return result, catalog, write_shards(catalog, root, root / "s", params, result.refused, scratch=root / "x")


def test_every_file_alone(made: Any, real: Path) -> None:
    paths = sorted(path for path in real.rglob("*") if ".fits" in path.name)
    assert len(paths) == 24
    for path in paths:
        image = read_fits([(path.name, path.read_bytes())], FluxSpec((), "", None), want_position=True)
        assert image.bands[0] in ("g", "r", "i", "z")
        assert image.ra_deg is not None
        assert np.isfinite(image.planes).mean() > 0.7
        assert image.pixel_arcsec == pytest.approx(_true_side(path), rel=0.01)


def _true_side(path: Path) -> float:
    """Return the side of the middle pixel by the whole WCS, distortion and all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = fits.getheader(path)
        wcs = WCS(header, naxis=2)
    x, y = (header["NAXIS1"] - 1) / 2, (header["NAXIS2"] - 1) / 2
    ra, dec = np.radians(wcs.all_pix2world([x - 0.5, x + 0.5, x, x], [y, y, y - 0.5, y + 0.5], 0))
    by_x, by_y = (np.array([(ra[i + 1] - ra[i]) * np.cos(dec[i]), dec[i + 1] - dec[i]]) for i in (0, 2))
    return float(np.degrees(np.sqrt(abs(by_x[0] * by_y[1] - by_x[1] * by_y[0]))) * 3600)


def test_decam_cutouts_with_tpv(made: Any, real: Path, tmp_path: Path) -> None:
    folder = real / "abell2670_decam"
    with (folder / "catalogue.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = "id,merger\n" + "".join(f"{row['ID']},{row['Interacting']}\n" for row in rows)
    _, catalog, manifest = read(made, tmp_path / "survey", folder, labels)
    assert (manifest.total, manifest.bands, manifest.unit) == (4, ("g", "r"), "count")
    assert [(one.id, one.reason) for one in manifest.refused] == [("731", "missing-band")]
    assert catalog.known_merger.tolist() == [False, False, True, False, False]
    assert manifest.sampling is not None
    assert manifest.sampling.uniform
    assert manifest.sampling.pixel_arcsec == pytest.approx(0.2625 * 256 * 0.5 / 64, rel=0.01)
    for row, ra_deg, dec_deg in zip(rows, catalog.ra_deg, catalog.dec_deg, strict=True):
        # of the middle of the image, against the position of the catalogue
        assert float(row["ra"]) == pytest.approx(ra_deg, abs=1 / 3600)
        assert float(row["dec"]) == pytest.approx(dec_deg, abs=1 / 3600)
    images = read_images(tmp_path / "survey/s", manifest, ["132", "150", "190", "360"])
    assert np.isfinite(images).all()
    middle = images[:, :, 28:36, 28:36].mean(axis=(2, 3))
    assert (middle > 1.5 * np.median(images, axis=(2, 3))).all()  # the sky is still in them


def test_one_supernova_host_by_three_surveys(made: Any, real: Path, tmp_path: Path) -> None:
    folder = real / "hostphot_SN2006bh"
    labels = "id,merger\nDES,1\nPS1,0\n"
    _, _, manifest = read(made, tmp_path / "one", folder, labels)
    assert (manifest.bands, manifest.unit) == (("g", "r", "i", "z"), "nanomaggy")
    # Pan-STARRS writes no unit, and FPA.ZP is that of one second
    assert [(one.id, one.reason) for one in manifest.refused] == [("PS1", "unit")]
    _, _, manifest = read(made, tmp_path / "two", folder, labels, zero_point=25.0)
    assert manifest.total == 3
    assert manifest.sampling is not None
    assert not manifest.sampling.uniform  # 0.25, 0.263 and 0.396 arcsec


def test_a_field_in_three_bands_with_a_copied_header(made: Any, real: Path, tmp_path: Path) -> None:
    folder = real / "sdss_ngc6976_field"
    _, catalog, manifest = read(made, tmp_path / "survey", folder, "id,merger\nreprojected_sdss,1\n")
    assert catalog.image.tolist() == ["images/reprojected_sdss_{g,r,i}.fits.bz2"]  # all three headers say g
    assert (manifest.total, manifest.bands, manifest.unit) == (1, ("g", "r", "i"), "nanomaggy")
