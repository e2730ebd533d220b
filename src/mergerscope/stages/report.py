"""Show what was found and how well it works, on one page that opens offline."""

from __future__ import annotations

import shutil
from pathlib import Path

from mergerscope.files import put_folder, write_text
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import console
from mergerscope.report.build import build_page
from mergerscope.report.card import model_card
from mergerscope.report.inputs import load_inputs
from mergerscope.tracking.champion import champion_run
from mergerscope.tracking.lineage import digest_of

__all__ = ["run"]


def run(paths: Paths, params: Params) -> None:
    """Write the report of the survey and the model card, and log the figures to the champion's run.

    Reads what every stage before wrote; writes ``results/report.html``, ``results/figures/*.png`` and
    ``models/MODEL_CARD.md``. On one machine the same bytes come from the same inputs and settings, the same commit of
    the source and the same packages: the page names commit and versions, and another matplotlib or UMAP draws
    otherwise. Neither time nor run id is on it. The card depends on inputs and settings alone.

    Raises:
        MissingInputError: an earlier stage has not been run.
        ContractError: two inputs do not belong together.
    """
    inputs = load_inputs(paths, params)
    folders = {"survey": params.survey.root, "shards": "shards"}
    digests = {name: digest for name, path in folders.items() if (digest := digest_of(paths, path))}
    fresh = _empty_folder(paths.figures.with_name("figures.new"))
    page = build_page(inputs, digests, fresh)
    put_folder(fresh, paths.figures)
    write_text(paths.model_card, model_card(inputs))
    write_text(paths.report, page)
    champion = champion_run(paths)
    for figure in sorted(paths.figures.glob("*.png")):
        champion.log_figure(figure)
    console.print(f"report: {paths.report} ({paths.report.stat().st_size / 1e6:.1f} MB)", highlight=False)


def _empty_folder(folder: Path) -> Path:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder

