"""How like real FITS cutouts the simulated ones are: ``python -m benchmarks.realism_fits FOLDER [--galaxies N]``.

FOLDER is searched for FITS images of one band, in surveys that are simulated: SDSS frames in nanomaggies, and DECam
pictures, coadded (``MAGZERO`` and ``GAIN``) or single (their zero point from the magnitudes in a ``catalogue.csv``
beside them). What was resampled to other pixels, or has no unit, is named and left out. On both sides the same things
are measured, band by band: noise of a pixel of empty sky, width of point sources, surface brightness about the middle.
Noise falls with the electrons that were collected, so the simulated one is given for the real picture's. ``--sheet
FILE`` draws simulated galaxies, Legacy Survey above HSC; no real picture appears in it.
"""

import argparse
import csv
import tempfile
import warnings
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from benchmarks.realism_figures import draw_sheet
from benchmarks.realism_fits_measures import RADII_ARCSEC, brightness, filled, point_spread, point_widths, sky
from PIL import Image

from mergerscope.simulate.instrument import SURVEYS
from mergerscope.simulate.write import Recipe, simulate_survey

SIDE = 240
"""Pixels a side of the simulated cutouts."""
APERTURE_ARCSEC = 8.0
"""Within which a galaxy of the catalogue is taken to have its magnitude."""


def measured(image, pixel_arcsec, per_nanomaggy):
    level, noise = sky(image)
    per_arcsec2 = brightness(image, level, pixel_arcsec) / per_nanomaggy
    return {
        "pixel": pixel_arcsec,
        "sky": level / per_nanomaggy / pixel_arcsec**2,
        "noise": noise / per_nanomaggy,
        "widths": point_widths(image, level, noise, pixel_arcsec),
        "brightness": 22.5 - 2.5 * np.log10(np.maximum(per_arcsec2, 1e-6)),
    }


def real_pictures(folder):
    """Yield survey, band, a name and what was measured, picture by picture."""
    for path in sorted(folder.rglob("*.fits*")):
        with warnings.catch_warnings(), fits.open(path) as file:
            warnings.simplefilter("ignore", FITSFixedWarning)
            header, image = file[0].header, np.asarray(file[0].data, float)
            pixel_arcsec = float(np.sqrt(np.abs(np.linalg.det(WCS(header).pixel_scale_matrix)))) * 3600
        name, unit, gain = path.relative_to(folder).as_posix(), None, header.get("GAIN", header.get("GAINA"))
        survey = next((s for s in ("sdss", "legacy") if abs(SURVEYS[s].pixel_arcsec / pixel_arcsec - 1) < 0.01), None)
        if header.get("BUNIT") == "nanomaggy":
            unit = 1.0
        elif "MAGZERO" in header:
            unit = 10 ** (0.4 * (header["MAGZERO"] - 22.5))
        elif (path.parent / "catalogue.csv").is_file():
            unit = by_catalogue(path, image, pixel_arcsec)
        if survey is None or unit is None:
            print(f"left out {name}: pixels of {pixel_arcsec:.3f} arcsec, {'no unit' if unit is None else 'resampled'}")
            continue
        band = header.get("FILTER", path.stem.split("_")[-1])[0]
        found = measured(image, pixel_arcsec, unit)
        found["electrons"] = gain * unit if gain else None
        found["stated"] = header["FWHM"] * pixel_arcsec if "FWHM" in header else None
        yield survey, band, name, found


def by_catalogue(path, image, pixel_arcsec):
    """Return units a nanomaggy: the light in an aperture over that of the galaxy in the catalogue."""
    number, band = path.stem.split("_")
    with (path.parent / "catalogue.csv").open(encoding="utf-8", newline="") as file:
        magnitude = next(float(row[f"mag_{band[0]}"]) for row in csv.DictReader(file) if row["ID"] == number)
    height, width = image.shape
    y, x = np.mgrid[:height, :width]
    near = np.hypot(x - (width - 1) / 2, y - (height - 1) / 2) * pixel_arcsec < APERTURE_ARCSEC
    return (filled(image) - sky(image)[0])[near].sum() / 10 ** (0.4 * (22.5 - magnitude))


def simulated_pictures(survey, galaxies, seed, workers):
    """Return for each band a list of what was measured."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        what = Recipe(seed=seed, survey=survey, file_format="fits", side_px=SIDE)
        simulate_survey(Path(folder), galaxies, what, workers)
        for path in sorted(Path(folder, "images").glob("*.fits")):
            with fits.open(path) as file:
                for hdu in file[1:]:
                    one = measured(np.asarray(hdu.data, float), SURVEYS[survey].pixel_arcsec, 1.0)
                    one |= {key: hdu.header[key] for key in ("EXPGAIN", "SKYSIGMA", "PSF_FWHM")}
                    found.setdefault(hdu.header["FILTER"], []).append(one)
    return found


def report(survey, band, name, real, simulated):
    noise = np.median([one["noise"] for one in simulated])
    if real["electrons"]:
        noise *= np.sqrt(simulated[0]["EXPGAIN"] / real["electrons"])
    low, middle, high = np.percentile([one["brightness"] for one in simulated], (16, 50, 84), axis=0)
    stated = f", header {real['stated']:.2f}" if real["stated"] else ""
    width = np.median([one["PSF_FWHM"] for one in simulated])
    found = " ".join(f"{one:.2f}" for one in np.sort(real["widths"])) or "none"
    print(f"{survey} {band} {name}: pixel {real['pixel']:.3f} arcsec ({SURVEYS[survey].pixel_arcsec})")
    print(f"  noise {1e3 * real['noise']:.2f} nanomaggy/1000 (simulated, for as many electrons: {1e3 * noise:.2f})")
    print(f"  FWHM of round sources, arcsec: {found}{stated} (simulated {width:.2f})")
    if real["sky"] > 0.5:
        mag = next(one.sky_mag for one in SURVEYS[survey].bands if one.name == band)
        print(f"  sky {22.5 - 2.5 * np.log10(real['sky']):.2f} mag/arcsec2 (simulated {mag:.2f})")
    for place, radius in enumerate(RADII_ARCSEC):
        sims = f"{middle[place]:.1f}, central 68 % {low[place]:.1f}...{high[place]:.1f}"
        print(f"  {radius:g} arcsec: {real['brightness'][place]:.1f} mag/arcsec2 (simulated {sims})")


def check_measures(survey, simulated):
    """Say how well the measures recover what the simulation was given."""
    for band, ones in simulated.items():
        noise = np.median([one["noise"] / one["SKYSIGMA"] for one in ones])
        width = point_spread(np.concatenate([one["widths"] / one["PSF_FWHM"] for one in ones]))
        print(f"{survey} {band} measured over given: noise {noise:.3f}, FWHM of stars {width:.3f}")


def sheet(path, seed, workers):
    rows = []
    for survey in ("legacy", "hsc"):
        with tempfile.TemporaryDirectory() as folder:
            what = Recipe(seed=seed, survey=survey, side_px=160, merger_fraction=0.4)
            simulate_survey(Path(folder), 24, what, workers)
            with zipfile.ZipFile(Path(folder, "images.zip")) as images:
                rows += [np.asarray(Image.open(BytesIO(images.read(name)))) for name in images.namelist()]
    draw_sheet(path, np.array(rows), columns=8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--galaxies", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--sheet", type=Path, help="file for the contact sheet of simulated galaxies")
    asked = parser.parse_args()
    real = list(real_pictures(asked.folder))
    simulated = {
        survey: simulated_pictures(survey, asked.galaxies, asked.seed, asked.workers)
        for survey in sorted({survey for survey, *_ in real})
    }
    for survey, bands in simulated.items():
        check_measures(survey, bands)
    for survey, band, name, found in real:
        if band in simulated[survey]:
            report(survey, band, name, found, simulated[survey][band])
        else:
            print(f"left out {name}: {survey} is not simulated in {band}")
    if asked.sheet:
        sheet(asked.sheet, asked.seed, asked.workers)


if __name__ == "__main__":
    main()
