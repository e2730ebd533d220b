"""The catalogue to a folder of shards: several processes, resumable, the same bytes however it is run.

Shards are built below ``scratch`` and moved to their place when all are there: DVC deletes a stage's outputs before
it runs the stage, and would delete what a killed run had finished.

Shard ``i`` holds the rows ``i * per_shard ...`` of the catalogue less those refused, so that a refused image moves no
galaxy to another shard.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mergerscope.errors import SurveyError, TooManyRefusedError
from mergerscope.files import put_folder, write_text
from mergerscope.params import ShardParams
from mergerscope.progress import progress
from mergerscope.shards.cutout import BANDS
from mergerscope.shards.flux_cutout import FluxPacking
from mergerscope.shards.journal import Finished, Journal
from mergerscope.shards.manifest import MANIFEST_NAME, Manifest, ShardEntry, shard_name
from mergerscope.shards.pack import Packing, Row, Task
from mergerscope.shards.pool import packed_in_order
from mergerscope.shards.sampling import sampling_of
from mergerscope.survey.catalog_file import Catalog
from mergerscope.survey.digests import worker_count
from mergerscope.survey.records import Refusal
from mergerscope.survey.refusals import check_share, refusals_csv

__all__ = ["write_shards"]

FORMAT = 2
"""Raise it when equal inputs give other bytes than before: then no unfinished run of an older version is taken up."""
INLINE = 512
"""Up to so many galaxies, starting processes takes longer than packing."""


def write_shards(
    catalog: Catalog,
    survey_root: Path,
    out_dir: Path,
    params: ShardParams,
    catalog_refusals: Sequence[Refusal],
    *,
    scratch: Path,
    missing_bands: str = "refuse",
    binning: int = 1,
    mask_bits: int = 0,
) -> Manifest:
    """Pack every galaxy of the catalogue and write ``out_dir`` with its manifest.

    Args:
        catalog: what to pack, in this order.
        survey_root: the folder that image references start from.
        out_dir: replaced as a whole, at the very end.
        params: crop, size, galaxies a shard, processes, and how much may be refused.
        catalog_refusals: what the catalogue stage left out; goes into the manifest.
        scratch: where the shards are built, and found again after a kill. On the same disk as ``out_dir``.
        missing_bands: of flux, ``refuse`` or ``fill``: what becomes of a galaxy that lacks a band.
        binning: of flux, 2 sums squares of 2 x 2 pixels first.
        mask_bits: of flux, the bits of a mask that mean that a pixel holds nothing.

    Raises:
        TooManyRefusedError: more than ``params.max_refused`` of the survey is unusable.
        SurveyError: the survey cannot be read at all, or no image of it can be used.
        MergerscopeError: a worker process died.
    """
    built = scratch / "shards"
    built.mkdir(parents=True, exist_ok=True)
    journal = Journal(scratch / "journal.jsonl", built)
    packing = Packing(survey_root, params.crop, params.size, _packed(catalog, missing_bands, binning, mask_bits))
    plans = _plans(catalog, params, packing)
    done = {plan.name: entry for plan in plans if (entry := journal.find(plan.name, plan.key)) is not None}
    missing = [plan for plan in plans if plan.name not in done]
    rows_missing = sum(plan.count for plan in missing)
    workers = 1 if rows_missing <= INLINE else min(worker_count(params.workers), len(missing))
    tasks = (Task(built / plan.name, plan.key, _rows(catalog, plan)) for plan in missing)
    with (
        progress("shard: packing", total=len(catalog), unit="galaxies") as advance,
        closing(packed_in_order(packing, tasks, workers)) as results,
    ):
        advance(len(catalog) - rows_missing)
        _check_refused(catalog_refusals, done, len(catalog), params.max_refused, scratch)
        for entry in results:
            journal.add(entry)
            done[entry.name] = entry
            advance(entry.count + len(entry.refused))
            _check_refused(catalog_refusals, done, len(catalog), params.max_refused, scratch)

    manifest = _manifest([done[plan.name] for plan in plans], catalog_refusals, packing, len(catalog))
    if not manifest.shards:
        raise SurveyError(f"No image of {survey_root} can be used: {manifest.reasons}. Look at some of them.")
    _publish(built, manifest, out_dir, scratch)
    return manifest


@dataclass(frozen=True, slots=True)
class _Plan:
    """One shard to be: the rows ``start:stop`` of the catalogue."""

    name: str
    start: int
    stop: int
    key: str
    """Digest of all that it is made from."""

    @property
    def count(self) -> int:
        return self.stop - self.start


def _packed(catalog: Catalog, missing_bands: str, binning: int, mask_bits: int) -> FluxPacking | None:
    if catalog.flux is None:
        return None
    return FluxPacking(replace(catalog.flux, mask_bits=mask_bits), missing_bands == "fill", binning)


def _plans(catalog: Catalog, params: ShardParams, packing: Packing) -> list[_Plan]:
    plans = []
    for number, start in enumerate(range(0, len(catalog), params.per_shard)):
        stop = min(start + params.per_shard, len(catalog))
        # The pixel digest stands for the image itself: a replaced file is packed anew.
        columns = (catalog.ids, catalog.image, catalog.ra_deg, catalog.dec_deg, catalog.pixel_digest)
        made_from = [FORMAT, params.crop, params.size, *(column[start:stop].tolist() for column in columns)]
        if packing.flux is not None:
            made_from += [asdict(packing.flux), catalog.ebv[start:stop].tolist()]
        key = hashlib.sha256(json.dumps(made_from).encode()).hexdigest()
        plans.append(_Plan(shard_name(number), start, stop, key))
    return plans


def _rows(catalog: Catalog, plan: _Plan) -> tuple[Row, ...]:
    columns = (catalog.ids, catalog.image, catalog.ra_deg, catalog.dec_deg, catalog.ebv)
    return tuple(
        Row(*row) for row in zip(*(column[plan.start : plan.stop].tolist() for column in columns), strict=True)
    )


def _check_refused(
    by_catalog: Sequence[Refusal], done: dict[str, Finished], catalog_rows: int, limit: float, scratch: Path
) -> None:
    refused = [*by_catalog, *(refusal for entry in done.values() for refusal in entry.refused)]
    try:
        check_share(refused, catalog_rows + len(by_catalog), limit)
    except TooManyRefusedError as error:
        listing = scratch / "refused.csv"
        write_text(listing, refusals_csv(refused))
        raise TooManyRefusedError(f"{error}\nAll that were met so far are listed in {listing}.") from None


def _manifest(
    entries: Sequence[Finished], by_catalog: Sequence[Refusal], packing: Packing, catalog_rows: int
) -> Manifest:
    flux = packing.flux
    bands = BANDS if flux is None else flux.spec.bands
    return Manifest(
        image_shape=(len(bands), packing.size, packing.size),
        dtype="uint8" if flux is None else "float32",
        bands=bands,
        crop=packing.crop,
        catalog_rows=catalog_rows,
        shards=tuple(ShardEntry(entry.name, entry.count, entry.sha256) for entry in entries if entry.count),
        refused=(*by_catalog, *(refusal for entry in entries for refusal in entry.refused)),
        unit="" if flux is None else flux.spec.unit,
        binning=1 if flux is None else flux.binning,
        sampling=sampling_of(sides for entry in entries for sides in entry.sides),
        missing_bands=None if flux is None else "fill" if flux.fill else "refuse",
        mask_bits=None if flux is None else flux.spec.mask_bits,
    )


def _publish(built: Path, manifest: Manifest, out_dir: Path, scratch: Path) -> None:
    """Put the finished folder in its place; a kill at any moment leaves the old one, or all to finish from."""
    wanted = {shard.name for shard in manifest.shards}
    for path in built.iterdir():
        if path.name not in wanted:  # of an earlier run with other parameters
            path.unlink()
    manifest.save(built / MANIFEST_NAME)
    put_folder(built, out_dir)
    shutil.rmtree(scratch)
