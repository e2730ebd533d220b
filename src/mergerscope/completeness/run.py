"""`mergerscope completeness`: inject, rank, count, draw."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mergerscope.completeness.gallery import save_gallery
from mergerscope.completeness.inject import TRUTH, Injected, draw_mergers, inject, truth_row
from mergerscope.completeness.light import as_light
from mergerscope.completeness.photons import SKY_ELECTRONS
from mergerscope.completeness.point_spread import SATURATED, PointSpread, measure_point_spread
from mergerscope.completeness.recovery import bins_of, depths, ranks_among, wilson
from mergerscope.completeness.survey import Ranked, load_ranked
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import console, progress
from mergerscope.report.completeness import COLUMNS, completeness_panels, read_curves
from mergerscope.report.style import save_panels
from mergerscope.search.write import number, write_csv, write_json
from mergerscope.shards.reader import read_images
from mergerscope.shards.sample import Pixels
from mergerscope.shards.shown import shown_bytes
from mergerscope.simulate.mergers import Merger

__all__ = ["run"]

Array = NDArray[Any]

MEASURED = 3000
"""Cutouts, at most, on which the point spread is measured."""
PER_CONTROL = 4
"""A control, a painted galaxy that does not merge, for so many mergers."""
QUANTITIES = (
    "mass_ratio", "separation_half_light_radii", "separation_kpc", "time_since_pericentre_gyr", "host_brightness",
)
"""Against which recovery is told."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Injected galaxies with the rows of their hosts."""

    hosts: Array
    mergers: list[Merger]
    injected: list[Injected]

    @property
    def images(self) -> Pixels:
        """(n, C, H, W) as the shards hold them."""
        images: Pixels = np.array([one.image for one in self.injected])
        return images


def run(paths: Paths, params: Params, mergers: int, seed: int, sky_electrons: float = SKY_ELECTRONS) -> None:
    """Inject simulated mergers into the survey, rank them with it, and tell which share is found.

    Writes into ``results/completeness/``: ``injected.csv`` (a row a merger: host, truth, rank), ``curves.csv``,
    ``metrics.json``, ``completeness.png`` and ``gallery.png``. Equal inputs and an equal seed give equal files.

    Args:
        paths: of the project.
        params: its settings.
        mergers: how many are injected.
        seed: of everything that is drawn.
        sky_electrons: of sky in a pixel, by which the photon noise of painted light is set.

    Raises:
        MissingInputError: a stage up to `rank` has not been run.
        ContractError: what they wrote does not belong together.
        TrackingError: the MLflow store cannot be used.
    """
    survey = load_ranked(paths, params)
    rng = np.random.default_rng([seed, 2])
    points = _point_spread(paths, survey, rng)
    batch = _inject(paths, survey, points, mergers, seed, rng, sky_electrons)
    single = max(1, mergers // PER_CONTROL)
    control = _inject(paths, survey, points, single, seed, rng, sky_electrons, alone=True)
    every: Pixels = np.concatenate([batch.images, control.images])
    with progress("completeness: embedding", len(every), "galaxies") as advance:
        scores, theirs = survey.scores(every, params, advance)
    ranks = ranks_among(theirs, scores[survey.candidates])
    ks = depths(len(survey.candidates))
    folder = paths.completeness_results
    folder.mkdir(parents=True, exist_ok=True)
    _write_injected(paths, survey, batch, ranks[:mergers], ks)
    _write_curves(paths, batch, ranks[:mergers], ks, params.evaluate.confidence)
    metrics = _metrics(survey, batch, ranks, scores, ks, params.evaluate.confidence)
    write_json(folder / "metrics.json", {
        "mergers": mergers, "seed": seed, "sky_electrons": sky_electrons, **metrics, "point_spread": _told(points),
    })  # fmt: skip
    save_panels(completeness_panels(read_curves(folder / "curves.csv")), folder / "completeness.png", columns=2)
    pictures = shown_bytes(batch.images, survey.stretch)
    save_gallery(pictures, batch.mergers, ranks[:mergers], ks[-1], folder / "gallery.png")
    _say(metrics, folder)


def _point_spread(paths: Paths, survey: Ranked, rng: np.random.Generator) -> PointSpread:
    rows = np.sort(rng.permutation(survey.store.size)[:MEASURED])
    images = read_images(paths.shards, survey.manifest, survey.store.ids[rows].tolist())
    with progress("completeness: point spread", len(images), "cutouts") as advance:
        lights = (as_light(image, survey.stretch) for image in images)
        points = measure_point_spread(_counted(lights, advance), math.inf if survey.stretch else SATURATED)
    told = f"completeness: point spread {points.median_px:.2f} px FWHM"
    if points.measured:
        console.print(f"{told}, from {len(points.fwhm_px)} compact sources in {len(images)} cutouts", highlight=False)
    else:
        console.print(
            f"{told}, assumed: {len(points.fwhm_px)} compact sources in {len(images)} cutouts are too few to "
            "measure it",
            highlight=False,
        )
    return points


def _counted(images: Iterable[Array], advance: Any) -> Iterable[Array]:
    for image in images:
        yield image
        advance(1)


def _inject(
    paths: Paths, survey: Ranked, points: PointSpread, count: int, seed: int, rng: np.random.Generator,
    sky_electrons: float, alone: bool = False,
) -> Batch:
    pool = survey.hosts
    hosts = rng.permutation(np.resize(rng.permutation(pool), count))
    images = read_images(paths.shards, survey.manifest, survey.store.ids[hosts].tolist())
    mergers, injected = [], []
    what = "single galaxies" if alone else "mergers"
    with progress(f"completeness: injecting {what}", count, what) as advance:
        for place, merger in enumerate(draw_mergers(count, seed, alone)):
            own = np.random.default_rng([seed, 4 if alone else 3, place])
            mergers.append(merger)
            injected.append(inject(images[place], merger, points, own, sky_electrons, survey.stretch))
            advance(1)
    return Batch(hosts, mergers, injected)


def _write_injected(paths: Paths, survey: Ranked, batch: Batch, ranks: Array, ks: list[int]) -> None:
    header = [
        "id", "host_id", *TRUTH, "both_nuclei_inside", "host_brightness", "kpc_per_pixel", "point_spread_px", "rank",
        *(f"recovered_at_{k}" for k in ks),
    ]
    lines = []
    for place, (merger, one) in enumerate(zip(batch.mergers, batch.injected, strict=True)):
        truth = [number(value) if isinstance(value, float) else value for value in truth_row(merger)]
        rank = int(ranks[place])
        lines.append([
            f"injected-{place:05d}", survey.store.ids[batch.hosts[place]], *truth, int(one.both_inside),
            number(one.brightness), number(one.kpc_per_pixel), number(one.fwhm_px), rank, *(int(rank <= k) for k in ks),
        ])  # fmt: skip
    write_csv(paths.completeness_results / "injected.csv", header, lines)


def _write_curves(paths: Paths, batch: Batch, ranks: Array, ks: list[int], confidence: float) -> None:
    columns: dict[str, Array] = {
        name: np.array([truth_row(merger)[place] for merger in batch.mergers], float)
        for place, name in enumerate(TRUTH) if name != "stage"
    }
    columns["host_brightness"] = np.array([one.brightness for one in batch.injected])
    lines = []
    for name in QUANTITIES:
        for part in bins_of(columns[name], ranks, ks):
            ends = wilson(part.recovered, part.number, confidence)
            figures = (part.low, part.high, part.median, part.fraction, *ends)
            low, high, median, fraction, wilson_low, wilson_high = map(number, figures)
            lines.append([
                name, low, high, median, part.k, part.number, part.recovered, fraction, wilson_low, wilson_high,
            ])
    write_csv(paths.completeness_results / "curves.csv", COLUMNS, lines)


def _metrics(
    survey: Ranked, batch: Batch, ranks: Array, scores: Array, ks: list[int], confidence: float
) -> dict[str, Any]:
    count = len(batch.mergers)
    real = scores[survey.candidates]
    groups = {
        "all": np.ones(count, bool),
        "both_nuclei_inside": np.array([one.both_inside for one in batch.injected]),
        **{stage: np.array([merger.truth.stage == stage for merger in batch.mergers])
           for stage in ("approach", "passage", "apart", "return", "coalesced")},
    }  # fmt: skip
    found = {name: _shares(ranks[:count][inside], ks, confidence) for name, inside in groups.items() if inside.any()}
    return {
        "candidates": len(real),
        "ranker": survey.ranker,
        "weights_sha256": survey.weights_sha256,
        "k": ks,
        "confidence": confidence,
        "recovered": found,
        # What would be found if painting alone, or the choice of the hosts, made a galaxy look like a merger.
        "single_galaxies": _shares(ranks[count:], ks, confidence),
        "hosts": _shares(ranks_among(scores[batch.hosts], real), ks, confidence),
    }


def _shares(ranks: Array, ks: list[int], confidence: float) -> dict[str, Any]:
    at = {}
    for k in ks:
        recovered = int((ranks <= k).sum())
        low, high = wilson(recovered, len(ranks), confidence)
        at[str(k)] = {
            "recovered": recovered, "fraction": number(recovered / len(ranks)), "low": number(low),
            "high": number(high),
        }  # fmt: skip
    return {"number": len(ranks), "at": at}


def _told(points: PointSpread) -> dict[str, Any]:
    return {
        "fwhm_px": number(points.median_px), "sources": len(points.fwhm_px), "measured": points.measured,
    }  # fmt: skip


def _say(metrics: dict[str, Any], folder: Any) -> None:
    every = metrics["recovered"]["all"]
    parts = [f"{every['at'][str(k)]['fraction']:.0%} among the first {k}" for k in metrics["k"]]
    console.print(f"completeness: of {every['number']} injected mergers {', '.join(parts)}: {folder}", highlight=False)
