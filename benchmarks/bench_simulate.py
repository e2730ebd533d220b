"""`mergerscope simulate`: ``python -m benchmarks.bench_simulate [--galaxies N]``.

How many 128 px pictures two processes make in twenty minutes, scaled from fewer, and against what each costs GalSim and
Pillow alone: one convolved Sersic profile on the same field in three bands, and its JPEG.
"""

import argparse
import io
import sys
import tempfile
import time
from pathlib import Path

import galsim
import numpy as np
from PIL import Image

from mergerscope.simulate.write import Recipe, simulate_survey

MINUTES, WANTED = 20, 10_000
FIELD_PX = 180
"""The median field in SDSS pixels."""
BASELINE_LIMIT = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--galaxies", type=int, default=1024)
    asked = parser.parse_args()
    alone = bare(200)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        simulate_survey(Path(folder), asked.galaxies, Recipe(seed=1, side_px=128), workers=2)
        each = (time.perf_counter() - start) / asked.galaxies
    print(f"  bare {1e3 * alone:.1f} ms, simulate {1e3 * each:.1f} ms a picture with two processes", file=sys.stderr)
    print(f"simulate_128px {60 * MINUTES / each:.0f} pictures in {MINUTES} minutes with two processes "
          f"(scaled from {asked.galaxies}; at least {WANTED})")  # fmt: skip
    print(f"simulate_cost {alone / (2 * each):.2f} pictures/core against three convolved GalSim profiles and a JPEG "
          f"(at least {BASELINE_LIMIT:g})")  # fmt: skip


def bare(count: int) -> float:
    """Seconds for one galaxy: a Sersic profile and its point spread in three bands, stretched linearly, as JPEG."""
    start = time.perf_counter()
    for index in range(count):
        galaxy = galsim.Sersic(1 + index % 4, half_light_radius=6 + index % 5)
        points = [galsim.Moffat(beta=3, fwhm=width) for width in (3.2, 3.4, 3.6)]
        bands = [galsim.Convolve(galaxy, one).drawImage(nx=FIELD_PX, ny=FIELD_PX, scale=1).array for one in points]
        picture = np.clip(255 * np.stack(bands, axis=2) / max(band.max() for band in bands), 0, 255).astype(np.uint8)
        Image.fromarray(picture).resize((128, 128)).save(io.BytesIO(), "JPEG", quality=75)
    return (time.perf_counter() - start) / count


if __name__ == "__main__":
    main()
