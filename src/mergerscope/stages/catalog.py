"""Read the survey, refuse what is unusable, and give every galaxy its role."""

from __future__ import annotations

import json

from mergerscope.files import write_text
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import console
from mergerscope.survey.catalog import build_catalog, write_catalog
from mergerscope.survey.refusals import refusals_csv
from mergerscope.survey.summary import describe, summarise

__all__ = ["run"]


def run(paths: Paths, params: Params) -> None:
    """Read the survey into catalog.parquet, with a role for every galaxy and a list of what was refused.

    Raises:
        SurveyError: the survey cannot be used; the message says what to do.
    """
    result = build_catalog(
        paths.root / params.survey.root,
        params.survey,
        params.target,
        params.split,
        bands=params.flux.bands,
        zero_point=params.flux.zero_point,
        max_refused=params.shard.max_refused,
        workers=params.shard.workers,
    )
    summary = summarise(result)
    write_catalog(result.table, paths.catalog)
    write_text(paths.catalog_report / "refused.csv", refusals_csv(result.refused))
    write_text(paths.catalog_report / "summary.json", json.dumps(summary, indent=2) + "\n")
    for line in describe(summary):
        console.print(f"catalog: {line}", highlight=False, markup=False, soft_wrap=True)
