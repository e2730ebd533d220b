"""Packing a survey against Pillow: ``python -m benchmarks.bench_shard [FOLDER_OF_JPEGS]``.

Both read the same files and make the same cutouts: 96 px of the central three quarters, and those of the parameters'
defaults. Pillow decodes in full, crops and scales with its Lanczos filter in one process, and keeps nothing;
`write_shards` also starts its processes and writes shards, digests and the manifest. Both are timed in CPU seconds of
all processes together, that is per core used, so that other work on the machine hardly matters. Repeats take turns,
and the median of their ratios is printed.

Without a folder, synthetic 424 px JPEGs of the size of Galaxy Zoo's are made.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from multiprocessing import forkserver
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

# A spawned process imports the main module again: as in the command line, what packing needs is imported when it is.
if TYPE_CHECKING:
    from mergerscope.survey.catalog import Catalog

FIELD = 424
IMAGES = 5000
DIFFERENT = 100
REPEATS = 3
LIMIT = 2.5


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="JPEGs to pack instead of synthetic ones")
    folder = parser.parse_args(arguments).folder
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        catalog = make_survey(here, folder)
        for crop, size in dict.fromkeys([(0.75, 96), default_field()]):
            compare(here, catalog, crop, size)


def compare(here: Path, catalog: Catalog, crop: float, size: int) -> None:
    """Print one line for one process, and one for as many as there are cores."""
    files = [here / "survey" / image for image in catalog.image.tolist()]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    ways: dict[str, Callable[[], object]] = {"pillow": lambda: pillow(files, crop, size)}
    for processes in dict.fromkeys((1, cores)):
        ways[f"{processes}_process"] = partial(pack, here, catalog, crop, size, processes)
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(REPEATS):
        for way, run in ways.items():
            start, wall = cpu_seconds(), time.perf_counter()
            run()
            seconds[way].append(cpu_seconds() - start)
            print(f"  {way}: {len(files) / (time.perf_counter() - wall):.0f} images/s by the clock", file=sys.stderr)
    theirs = seconds.pop("pillow")
    for way, ours in seconds.items():
        ratio = statistics.median(their / our for their, our in zip(theirs, ours, strict=True))
        print(
            f"shard_{size}px_{way} {ratio:.2f} images/s/core write_shards against Pillow decode + crop + Lanczos in "
            f"one process ({len(files)} JPEGs, crop {crop} to {size} px; at least {LIMIT})"
        )


def default_field() -> tuple[float, int]:
    from mergerscope.params import ShardParams

    return ShardParams().crop, ShardParams().size


def make_survey(here: Path, folder: Path | None) -> Catalog:
    """Return the catalogue of a survey below ``here`` of the JPEGs in ``folder``, or of synthetic ones."""
    from mergerscope.params import SplitParams, SurveyParams, TargetParams
    from mergerscope.survey.catalog import build_catalog, read_catalog, write_catalog

    root = here / "survey"
    if folder:
        root.mkdir()
        files = sorted(folder.glob("*.jpg"))[:IMAGES]
        (root / "images").symlink_to(folder.resolve(), target_is_directory=True)
        names = [file.name for file in files]
    else:
        (root / "images").mkdir(parents=True)
        pictures = [galaxy(seed) for seed in range(DIFFERENT)]
        names = [f"{number}.jpg" for number in range(IMAGES)]
        for number, name in enumerate(names):
            (root / "images" / name).write_bytes(pictures[number % DIFFERENT])
    lines = [f"{Path(name).stem},{name},{int(number == 0)}" for number, name in enumerate(names)]
    (root / "catalog.csv").write_text("\n".join(["id,filename,p_merger", *lines]) + "\n")
    result = build_catalog(root, SurveyParams(), TargetParams(column="p_merger"), SplitParams(), max_refused=1.0)
    write_catalog(result.table, here / "catalog.parquet")
    return read_catalog(here / "catalog.parquet")


def galaxy(seed: int) -> bytes:
    """Return a JPEG of some 15 kB: a galaxy, stars and the noise of the sky."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:FIELD, :FIELD] - FIELD / 2
    light = 180 * np.exp(-np.hypot(y, x * rng.uniform(1, 3)) / rng.uniform(15, 50))
    for _ in range(12):
        light += rng.uniform(50, 250) * np.exp(
            -((y - rng.uniform(-200, 200)) ** 2 + (x - rng.uniform(-200, 200)) ** 2) / 12
        )
    pixels = light[..., None] * rng.uniform(0.7, 1, 3) + rng.normal(15, 4, (FIELD, FIELD, 3))
    stream = BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(stream, "JPEG", quality=80)
    return stream.getvalue()


def pillow(files: list[Path], crop: float, size: int) -> None:
    for file in files:
        with Image.open(file) as image:
            edge = round(image.width * (1 - crop) / 2)
            cut = image.crop((edge, edge, image.width - edge, image.height - edge))
            np.asarray(cut.resize((size, size), Image.Resampling.LANCZOS))


def pack(here: Path, catalog: Catalog, crop: float, size: int, workers: int) -> None:
    from mergerscope.params import ShardParams
    from mergerscope.shards.writer import write_shards

    params = ShardParams(crop=crop, size=size, workers=workers, max_refused=1.0)
    write_shards(catalog, here / "survey", here / "shards", params, [], scratch=here / "scratch")
    # What the workers took is known here once the server that forked them has ended; without one, nothing happens.
    forkserver._forkserver._stop()


def cpu_seconds() -> float:
    """Return the CPU time of this process and of all its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
