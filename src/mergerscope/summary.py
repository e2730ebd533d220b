"""`mergerscope summary`: the few figures that a user wants to see after a run, on a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from mergerscope.counts import plural
from mergerscope.errors import ContractError, MissingInputError
from mergerscope.params import Params
from mergerscope.paths import Paths

__all__ = ["print_summary", "summary_table"]

UNKNOWN: dict[str, float | None] = {"value": None}

NAMES = {
    "rgb_pixels": "RGB pixels",
    "pca_pixels": "PCA of pixels",
    "untrained": "untrained encoder",
    "moco_references": "MoCo v2, references",
    "trained": "trained: selected",
}


def print_summary(paths: Paths, params: Params) -> None:
    """Print the table, where the report is, and what ``params`` asks for that was not done.

    Raises:
        MissingInputError: `evaluate` has not run.
        ContractError: its metrics lack what is needed.
    """
    file = paths.evaluate_results / "metrics.json"
    if not file.is_file():
        raise MissingInputError(file, made_by="evaluate")
    try:
        metrics = json.loads(file.read_text(encoding="utf-8"))
        table, selected = summary_table(metrics), next(row for row in metrics["rows"] if row["selected"])
    except (KeyError, ValueError, TypeError, StopIteration) as error:
        raise ContractError(f"{file} is no table to sum up ({error!r}): run `mergerscope evaluate` again.") from error
    console = Console()
    console.print(table)
    listed = paths.rank_results / "candidates.csv"
    for what, path, note in (("report", paths.report, ""), ("candidates", listed, _ordered_by(paths))):
        if path.is_file():
            console.print(f"{what}: {path}{note}", soft_wrap=True, highlight=False, markup=False)
    for line in _out_of_date(paths, params, metrics, selected):
        console.print(f"out of date: {line}. Run `dvc repro`.", soft_wrap=True, highlight=False, markup=False)


def _ordered_by(paths: Paths) -> str:
    """Say which ranker ordered the list: over all known mergers it may be another than over the references alone."""
    file = paths.rank_results / "choice.json"
    if not file.is_file():
        return ""
    try:
        choice = json.loads(file.read_text(encoding="utf-8"))
        return f", in the order of {choice['ranker']} over all {plural(choice['references'], 'known merger')}"
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(f"{file} cannot be read ({error!r}). Run `mergerscope rank` again.") from error


def _out_of_date(
    paths: Paths, params: Params, metrics: dict[str, Any], selected: dict[str, Any]
) -> Iterator[str]:
    """Yield what settings, catalogue and embeddings say that is not what the table was made with, if it can be told."""
    file = paths.catalog_report / "summary.json"
    if file.is_file():
        try:
            catalog = json.loads(file.read_text(encoding="utf-8"))
            made, hidden, galaxies = catalog["target"], int(catalog["roles"]["hidden"]), int(catalog["galaxies"])
        except (ValueError, KeyError, TypeError) as error:
            raise ContractError(f"{file} cannot be read ({error}). Run `mergerscope catalog` again.") from error
        now = params.target.model_dump()
        if made != {name: now[name] for name in made}:
            yield (
                f"mergers were those with {made['column']} above {made['threshold']:g}, and params.yaml asks for "
                f"{now['column']} above {now['threshold']:g}"
            )
        # There may be fewer of both than in the catalogue, where images were refused.
        if metrics["hidden"] > hidden or metrics["pool"] > galaxies:
            yield (
                f"the table is of {metrics['hidden']} hidden mergers among {metrics['pool']} galaxies, and the "
                f"catalogue has {hidden} among {galaxies}"
            )
    origin = _origin(paths)
    if origin is not None and origin != selected["encoder"]:
        yield f"the table is of the embeddings {selected['encoder']!r}, and those that are there are {origin!r}"
    if params.rank.ranker not in ("auto", selected["ranker"]):
        yield f"the ranker was {selected['ranker']}, and params.yaml asks for {params.rank.ranker}"


def _origin(paths: Paths) -> str | None:
    """Return what `evaluate` would call the present embeddings; None where there are none."""
    file = paths.embeddings / "meta.json"
    if not file.is_file():
        return None
    try:
        meta = json.loads(file.read_text(encoding="utf-8"))
        return str(meta["origin"]["name"]) if "origin" in meta else "trained"
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(f"{file} cannot be read ({error!r}). Run `mergerscope embed` again.") from error


def summary_table(metrics: dict[str, Any]) -> Table:
    """Return chance, the best row of each baseline and the selected row, from ``results/evaluate/metrics.json``."""
    rows = metrics["rows"]
    selected = next(row for row in rows if row["selected"])
    k = _shown_k(selected)
    table = Table(
        title=f"{metrics['hidden']} hidden mergers among {metrics['pool']} galaxies",
        box=SIMPLE_HEAD,
        title_justify="left",
        caption="of each baseline its best ranker; selected: chosen over references alone",
        caption_justify="left",
    )
    table.add_column("encoder", no_wrap=True)
    table.add_column("ranker", no_wrap=True)
    for heading in ("average precision", f"recall at {k}"):
        table.add_column(heading, justify="right", no_wrap=True)
    chance = {"value": metrics["chance"] if metrics["hidden"] else None}
    recall = {"value": min(1.0, k / metrics["pool"]) if metrics["hidden"] else None}
    table.add_row("chance", "", _interval(chance), _interval(recall))
    for encoder, name in NAMES.items():
        mine = [row for row in rows if row["encoder"] == encoder and not row["selected"]]
        if mine and encoder != "trained":
            best = max(mine, key=lambda row: row["average_precision"]["value"] or 0.0)
            table.add_row(name, best["ranker"], *_figures(best, k))
    name = NAMES.get(selected["encoder"], f"{selected['encoder']}: selected")
    table.add_row(name, selected["ranker"], *_figures(selected, k), style="bold")
    return table


def _shown_k(row: dict[str, Any]) -> int:
    """The k to show: 100, or the largest below it where the list is shorter."""
    return max((int(k) for k in row["recall_at"] if int(k) <= 100), default=100)


def _figures(row: dict[str, Any], k: int) -> tuple[str, str]:
    return _interval(row["average_precision"]), _interval(row["recall_at"].get(str(k), UNKNOWN))


def _interval(figure: dict[str, float | None]) -> str:
    if figure["value"] is None:
        return "-"
    text = f"{figure['value']:.2f}"
    if figure.get("low") is not None and figure.get("high") is not None:
        text += f" [{figure['low']:.2f}, {figure['high']:.2f}]"
    return text
