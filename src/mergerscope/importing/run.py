"""`mergerscope import-embeddings`: check the vectors of a file and write them as a store."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mergerscope.counts import plural
from mergerscope.errors import ContractError
from mergerscope.files import put_folder, write_text
from mergerscope.importing.batches import batches
from mergerscope.importing.check import Checked, Rows, check
from mergerscope.importing.columns import Columns, find_columns
from mergerscope.importing.request import Request
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import console, progress
from mergerscope.search.write_store import StoreWriter
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import shard_ids
from mergerscope.survey.refusals import refusals_csv

__all__ = ["run"]

Array = np.ndarray[Any, Any]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", re.ASCII)
TAKEN = ("trained", "untrained", "rgb_pixels", "pca_pixels", "moco_references", "chance")
"""Names of rows in the tables of `evaluate`."""


def run(paths: Paths, params: Params, request: Request) -> None:
    """Take in the vectors of a Parquet file, and tell what to set in params.yaml.

    Writes ``imported/`` in the layout of ``embeddings/``: float16, in the order of the shards, scaled by one power of
    two; ``refused.csv`` lists the rows that could not be used and ``missing.csv`` the galaxies without a vector. The
    file is read twice, a batch at a time, so memory does not grow with it.

    Raises:
        ContractError: it is no Parquet file, its columns cannot be told, or none of its vectors can be used.
        TooManyRefusedError: more than `shard.max_refused` of its rows cannot be used.
        MissingInputError: the shards are not there.
    """
    if not NAME.fullmatch(request.name) or request.name in TAKEN:
        raise ContractError(f"--name {request.name!r}: up to 40 letters, digits, '.', '_' and '-', and none of "
                            f"{', '.join(TAKEN)}.")
    by_shard = shard_ids(paths.shards, Manifest.load(paths.manifest))
    rows = Rows(np.array([name for ids in by_shard for name in ids], dtype=np.str_))
    try:
        with pq.ParquetFile(request.file) as file:
            columns = find_columns(file.schema_arrow, request.id_column, request.vectors)
            total = file.metadata.num_rows
            with progress("import: check", total, "rows") as advance:
                checked = check(
                    batches(file, columns), total, rows, request.file.name, request.subset, params.shard.max_refused,
                    advance,
                )
            before = _name_of(paths)
            digest = _write(paths, file, columns, checked, rows, by_shard, request)
    except (pa.ArrowException, OSError) as error:
        raise ContractError(f"{request.file} cannot be read as Parquet: {error}. In lists of a fixed size no row may "
                            "be null; else write the file anew.") from None
    if before is not None:
        console.print(f"import: {before}, which was there, is replaced", highlight=False, markup=False, soft_wrap=True)
    _tell(paths, checked, rows, request, digest)


def _name_of(paths: Paths) -> str | None:
    """Return name and digest of the vectors that are there."""
    try:
        origin = json.loads((paths.imported / "meta.json").read_text(encoding="utf-8"))["origin"]
        return f"{origin['name']} ({origin['digest']})"
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(
    paths: Paths, file: pq.ParquetFile, columns: Columns, checked: Checked, rows: Rows, by_shard: list[list[str]],
    request: Request,
) -> str:
    """Write the store and return its digest."""
    work = paths.scratch / "import"
    shutil.rmtree(work, ignore_errors=True)
    store = work / "store"
    # With its name, which the tables of `evaluate` and the report show.
    writer, digest = StoreWriter(store), hashlib.sha256(f"{request.name}\n".encode())
    with (work / "rows").open("w+b") as scattered:
        with progress("import: write", file.metadata.num_rows, "rows") as advance:
            for part in batches(file, columns, checked.dim):
                place = rows.of(part.ids)
                wanted = np.flatnonzero((place >= 0) & checked.good[place])
                half = (part.vectors[wanted] * np.float32(checked.scale)).astype(np.float16)
                _scatter(scattered.fileno(), place[wanted], half)
                advance(len(place))
        start = 0
        for ids in by_shard:
            there = checked.good[start : start + len(ids)]
            if there.any():
                half = _gather(scattered.fileno(), start, len(ids), checked.dim)[there]
                names = [name for name, good in zip(ids, there.tolist(), strict=True) if good]
                writer.add(names, half)
                digest.update("".join(f"{name}\n" for name in names).encode() + half.tobytes())
            start += len(ids)
    short = digest.hexdigest()[:16]
    missing = rows.ids[~checked.good]
    writer.close({
        "origin": {"name": request.name, "digest": short, "scale": checked.scale}, "missing": len(missing),
    })  # fmt: skip
    write_text(store / "missing.csv", "".join(f"{name}\n" for name in ["id", *missing.tolist()]))
    write_text(store / "refused.csv", refusals_csv(checked.refused))
    put_folder(store, paths.imported)
    shutil.rmtree(work)
    return short


def _scatter(file: int, place: Array, half: Array) -> None:
    """Write (n, D) float16 rows to their places; neighbours in one go."""
    order = np.argsort(place)
    place, half = place[order], np.ascontiguousarray(half[order])
    starts = np.flatnonzero(np.diff(place, prepend=-2) != 1)
    for first, last in zip(starts, np.append(starts[1:], len(place)), strict=True):
        os.pwrite(file, half[first:last].tobytes(), int(place[first]) * half.shape[1] * half.itemsize)


def _gather(file: int, start: int, count: int, dim: int) -> Array:
    row = 2 * dim
    # Behind the last row that was written the file may have ended.
    content = os.pread(file, count * row, start * row).ljust(count * row, b"\0")
    return np.frombuffer(content, np.float16).reshape(count, dim)


def _tell(paths: Paths, checked: Checked, rows: Rows, request: Request, digest: str) -> None:
    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    good, missing = int(checked.good.sum()), rows.ids[~checked.good]
    have, numbers = plural(good, "galaxy has", "galaxies have"), plural(checked.dim, "number")
    say(f"import: {have} a vector of {numbers} by {request.name}")
    if checked.left_out:
        say(f"import: {plural(checked.left_out, 'row is', 'rows are')} of galaxies that the survey has not")
    if checked.refused:
        say(f"import: {plural(len(checked.refused), 'row')} cannot be used, see {paths.imported / 'refused.csv'}")
    if len(missing):
        say(f"import: {plural(len(missing), 'galaxy', 'galaxies')} of the survey without a vector, the first "
            f"{missing[0]}, will be neither ranked nor found: see {paths.imported / 'missing.csv'}")
    say(f"Now set, in the block embed of params.yaml, `source: imported` and `imported: {digest!r}`, "
        "and run `dvc repro`.")
