"""``mergerscope rank --crossmatch``: the ranked list against lists of others, written and told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mergerscope.counts import plural
from mergerscope.errors import ContractError, MissingInputError
from mergerscope.files import replacing, write_text
from mergerscope.paths import Paths
from mergerscope.publish.arrow_files import write_csv
from mergerscope.publish.columns import Column, candidate_columns
from mergerscope.publish.crossmatch import match_list
from mergerscope.publish.match_tables import MATCHED, UNMATCHED, Ranked, figures, matched_table, unmatched_table
from mergerscope.publish.positions import OutsideList
from mergerscope.publish.votable import votable_text
from mergerscope.search.write import write_json
from mergerscope.survey.catalog_file import Catalog, read_catalog

__all__ = ["run"]

Array = np.ndarray[Any, Any]


def run(paths: Paths, lists: Sequence[OutsideList], radius_arcsec: float, top: int) -> list[str]:
    """Match every list with all galaxies of the catalogue, ranked or not, and write ``results/crossmatch/``.

    ``matched`` and ``unmatched_theirs`` hold the entries of all lists, ``unmatched_ours`` those of the first ``top``
    candidates that have a position and lie within the radius of no entry; each as CSV and VOTable. ``summary.json``
    holds the figures.

    Returns:
        Lines that tell the outcome.

    Raises:
        MissingInputError: catalogue or ranked list are not there.
        ContractError: they do not belong together.
    """
    path = paths.rank_results / "candidates.parquet"
    if not path.is_file():
        raise MissingInputError(path, "rank")
    catalog = read_catalog(paths.catalog)
    ours = _ranked(catalog, path)
    shortlist = _first_rows(path, top)
    matches = [match_list(theirs, ours.ra_deg, ours.dec_deg, radius_arcsec) for theirs in lists]
    pairs = list(zip(lists, matches, strict=True))
    covered = ours.ids[np.unique(np.concatenate([match.covered for match in matches]))]
    ids, placed = np.array(shortlist["id"].to_pylist(), np.str_), shortlist["ra_deg"].is_valid().to_numpy()
    unlisted = shortlist.filter(pa.array(placed & ~np.isin(ids, covered)))
    folder = paths.crossmatch_results
    _write(folder, "matched", pa.concat_tables([matched_table(*pair, ours) for pair in pairs]), MATCHED)
    _write(folder, "unmatched_theirs", pa.concat_tables([unmatched_table(*pair) for pair in pairs]), UNMATCHED)
    _write(folder, "unmatched_ours", unlisted, candidate_columns(_width(catalog), catalog.vote_columns))
    summary = {
        "radius_arcsec": radius_arcsec,
        "galaxies": len(catalog),
        "galaxies_with_position": int(np.isfinite(ours.ra_deg).sum()),
        "top": len(shortlist),
        "top_with_position": int(placed.sum()),
        "top_in_no_list": unlisted.num_rows,
        "lists": [figures(*pair, ours, top) for pair in pairs],
    }
    write_json(folder / "summary.json", summary)
    return [*_told(summary), f"written: {folder}"]


def _ranked(catalog: Catalog, path: Path) -> Ranked:
    try:
        table = pq.read_table(path, columns=["rank", "id", "score", "duplicate_of"])
    except (pa.ArrowException, OSError) as error:
        raise ContractError(f"{path} is no ranked list ({error}). Run `mergerscope rank` again.") from None
    ids = np.array(table["id"].to_pylist(), np.str_)
    rows = np.searchsorted(catalog.ids, ids).clip(max=max(0, len(catalog) - 1))
    strange = ids[catalog.ids[rows] != ids] if len(catalog) else ids
    if len(strange):
        raise ContractError(f"{path}: {plural(len(strange), 'galaxy is', 'galaxies are')} not in the catalogue, the "
                            f"first is {strange[0]}. "
                            "Run `mergerscope rank` again.")  # fmt: skip
    rank, score = np.zeros(len(catalog), np.int64), np.full(len(catalog), np.nan, np.float32)
    rank[rows], score[rows] = table["rank"].to_numpy(), table["score"].to_numpy()
    copies = np.full(len(catalog), "", catalog.ids.dtype)
    copies[rows] = table["duplicate_of"].fill_null("").to_pylist()
    order = np.lexsort((np.where(rank > 0, rank, len(catalog) + 1), ~catalog.known_merger))
    return Ranked(
        catalog.ids[order], catalog.ra_deg[order], catalog.dec_deg[order], catalog.known_merger[order], rank[order],
        score[order], copies[order],
    )


def _first_rows(path: Path, count: int) -> pa.Table:
    file = pq.ParquetFile(path)
    batches, have = [], 0
    for batch in file.iter_batches():
        batches.append(batch.slice(0, count - have))
        have += batches[-1].num_rows
        if have >= count:
            break
    return pa.Table.from_batches(batches, schema=file.schema_arrow)


def _width(catalog: Catalog) -> int:
    return max(1, catalog.ids.dtype.itemsize // 4)


def _write(folder: Path, name: str, table: pa.Table, columns: Sequence[Column]) -> None:
    with replacing(folder / f"{name}.csv") as fresh:
        write_csv(table, fresh)
    write_text(folder / f"{name}.vot", votable_text(table, columns, name))


def _told(summary: dict[str, Any]) -> Iterator[str]:
    for one in summary["lists"]:
        yield (
            f"{one['list']}: {plural(one['entries'], 'entry', 'entries')}, {one['with_position']} with a position, "
            f"{one['in_survey']} in the survey's area, {one['matched']} matched within "
            f"{summary['radius_arcsec']:g} arcsec to {plural(one['galaxies'], 'galaxy', 'galaxies')}"
        )
        if one["matched"]:
            yield (
                f"  median separation {one['median_separation_arcsec']:.2f} arcsec; "
                f"{plural(one['known_mergers'], 'known merger')}, {plural(one['candidates'], 'candidate')}, "
                f"{one['not_ranked']} not ranked"
            )
        if one["candidates"]:
            shares = ", ".join(f"{share:.0%} in the first {k}" for k, share in one["recall_at"].items())
            yield f"  candidates: best rank {one['best_rank']}, median {one['median_rank']:g}; {shares}"
    if not summary["galaxies_with_position"]:
        yield "No galaxy of the survey has a position: nothing can match."
    yield (
        f"of the first {plural(summary['top'], 'candidate')}, {summary['top_with_position']} with a position, "
        f"{plural(summary['top_in_no_list'], 'is', 'are')} in no list"
    )
