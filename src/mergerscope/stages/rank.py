"""Order every galaxy by its likeness to the known mergers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa

from mergerscope.cluster import engine
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.progress import progress
from mergerscope.publish.arrow_files import write_csv
from mergerscope.publish.candidates import Candidates
from mergerscope.publish.files import write_candidates
from mergerscope.publish.made_from import KEY, made_from
from mergerscope.search.choose import Choice, choose_by_labels
from mergerscope.search.kept import kept_scores
from mergerscope.search.labels import Labels
from mergerscope.search.rankers import score
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import on_cluster
from mergerscope.search.write import write_json
from mergerscope.survey.catalog_file import read_catalog
from mergerscope.tracking.champion import champion_run
from mergerscope.tracking.embedder import check_embeddings

__all__ = ["run"]


def run(paths: Paths, params: Params) -> None:
    """Order every galaxy by its likeness to the known mergers.

    All known mergers are references, also those that `evaluate` hid. With ``rank.ranker: auto`` the ranker is chosen
    anew by cross-validation over them. ``results/rank/candidates.parquet``, ``.csv``, ``.fits`` and ``.vot`` hold every
    other galaxy, best first: rank, id, position, score, the three references that it is most like with the whitened
    cosine similarity to each, its votes where known, and links to pictures of it. Equal scores are in the order of the
    ids. ``top.vot`` and the DS9 regions ``top.reg`` hold the first `rank.top` that have a position.

    Galaxies within `rank.duplicates_arcsec` of each other are entries of one object: all stay in the list, and all but
    the first, or all where a known merger is among them, name it in ``duplicate_of``.

    A galaxy that has the pixels of a known merger under another id is no find: such twins are left out of the list,
    and counted in ``metrics.json`` as ``twins_of_references``. References, twins and candidates together are all
    galaxies that were embedded.

    A ranking that was killed goes on with the scores that it had, where embeddings, references, settings and code are
    the same.

    With ``rank.engine: ray`` the passes over all embeddings, which score them and measure their moments, are shared out
    over the machines of a Ray cluster, and the results are the same.

    Embeddings that `mergerscope embed` would not make now, from another model or source than the settings ask for, are
    refused.

    Raises:
        MissingExtraError: Ray is asked for and not installed.
        ClusterError: the Ray cluster cannot be used, or gave up.
        MissingInputError: catalogue, embeddings or the champion are not there.
        ContractError: they do not belong together, the embeddings are of another model or source than the settings
            ask for, or no galaxy is a known merger.
        TrackingError: the MLflow store cannot be used.
    """
    check_embeddings(paths, params.embed.source, params.embed.imported, params.embed.views)
    catalog, store = read_catalog(paths.catalog), EmbeddingStore.open(paths.embeddings)
    labels = Labels.of(catalog, store.names)
    references = labels.all_known
    twins = labels.twins(references)
    with (
        engine(params.rank.engine, paths.scratch) as cluster, on_cluster(cluster),
        progress("rank", 3, "steps") as advance,
    ):  # fmt: skip
        choice = choose_by_labels(store, labels, references, params)
        advance(1, f"ranker: {choice.ranker}")
        # Scores that a killed ranking had finished are taken up again; kept until the list is written, for of millions
        # that takes as long as to score them.
        with kept_scores(
            paths.scratch / "rank", paths.embeddings, choice.ranker, references, twins, params.rank
        ):
            scores = score(choice.ranker, store, references, params.rank, twins)
            advance(1, "scored")
            found = Candidates.order(
                catalog, store, labels, references, twins, scores, params.rank.duplicates_arcsec
            )
            shortlist = write_candidates(
                paths.rank_results, found.columns, found.chunks(), rows=len(found), top=params.rank.top,
                metadata={KEY: made_from(paths, params)},
            )
        advance(1, "written")
    counts = {"references": len(references), "twins_of_references": len(twins), "candidates": len(found)}
    write_json(paths.rank_results / "choice.json", {
        "ranker": choice.ranker, "reason": choice.reason, **counts, "table": choice.table,
    })  # fmt: skip
    validation = _validation(choice)
    write_json(paths.rank_results / "metrics.json", {
        **counts, "duplicates": found.duplicates, "ranker": choice.ranker, "validation": validation,
    })  # fmt: skip
    _log(paths, shortlist, validation)


def _validation(choice: Choice) -> dict[str, float | None]:
    """What the chosen ranker reached on held-out references."""
    line = next(line for line in choice.table if line["ranker"] == choice.ranker)
    return {name: line[name] for name in ("average_precision", "recall_at_k", "k", "folds")}


def _log(paths: Paths, shortlist: pa.Table, validation: dict[str, float | None]) -> None:
    tracked = champion_run(paths)
    tracked.log_summary({
        "rank_validation_average_precision": validation["average_precision"],
        "rank_validation_recall": validation["recall_at_k"],
    })
    with tempfile.TemporaryDirectory() as place:
        # The whole list may be millions of rows; the run keeps its top.
        path = Path(place) / "shortlist.csv"
        write_csv(shortlist, path)
        tracked.log_table(path)
    tracked.log_table(paths.rank_results / "choice.json", "rank_choice.json")
