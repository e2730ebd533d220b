"""A project whose stages before the report have run: real catalogue and shards of drawn galaxies, made-up scores."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from safetensors.numpy import save_file

from mergerscope.params import Params, parse_params
from mergerscope.paths import Paths
from mergerscope.search import metrics
from mergerscope.search.rankers import available, score
from mergerscope.search.store import EmbeddingStore
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_images
from mergerscope.shards.writer import write_shards
from mergerscope.survey.catalog import Catalog, build_catalog, read_catalog, write_catalog

SIDE = 32
FIXED_K = (10, 20, 50, 100, 200, 500, 1000)
WEIGHTS = "3f8a" * 16
RIVALS = (("untrained", "mean_cosine"), ("untrained", "lda"), ("rgb_pixels", "mean_cosine"), ("rgb_pixels", "whitened"))


def draw_galaxy(rng: np.random.Generator, merger: bool, side: int = 64) -> np.ndarray:
    """(side, side, 3) uint8: one smooth blob, or two with a bridge of light."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    image = np.zeros((side, side, 3))
    centres = [(0.0, 0.0)]
    if merger:
        angle = rng.uniform(0, 2 * np.pi)
        centres.append((0.2 * np.cos(angle), 0.2 * np.sin(angle)))
    for cx, cy in centres:
        turn, flat = rng.uniform(0, np.pi), rng.uniform(0.4, 1)
        u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
        v = ((y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)) / flat
        radius = np.hypot(u, v) / rng.uniform(0.04, 0.09)
        image += np.exp(-radius**0.7)[..., None] * rng.uniform(0.6, 1, 3) * 1.3
    image += rng.normal(0.03, 0.015, image.shape)
    return (255 * np.clip(image, 0, 1)).astype(np.uint8)


def write_survey(root: Path, galaxies: int, mergers: int, seed: int = 0, positions: bool = True) -> None:
    """catalog.csv with images: ``mergers`` of them are mergers by vote, a third has no vote, one file is broken."""
    rng = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    lines = []
    for number in range(galaxies):
        merger = number < mergers
        name = f"g{number:05d}"
        Image.fromarray(draw_galaxy(rng, merger)).save(root / "images" / f"{name}.png")
        vote = rng.uniform(0.55, 1) if merger else rng.uniform(0, 0.45)
        place = (f"{rng.uniform(0, 360):.5f}", f"{rng.uniform(-20, 60):.5f}") if positions else ("", "")
        lines.append([name, f"{name}.png", *place, "" if not merger and number % 3 == 0 else f"{vote:.4f}"])
    (root / "images" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short")
    lines.append(["broken<b>", "broken.jpg", "", "", ""])
    lines.append(["missing", "missing.jpg", "", "", ""])
    with (root / "catalog.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "filename", "ra_deg", "dec_deg", "p_merger"], *lines])


def made_params(**changes: dict[str, Any]) -> Params:
    """Small settings; ``changes`` are merged into the blocks."""
    tree: dict[str, dict[str, Any]] = {
        "target": {"column": "p_merger"},
        "shard": {"size": SIDE, "crop": 1.0, "per_shard": 40, "workers": 1, "max_refused": 1.0},
        "evaluate": {"splits": 3},
        "report": {"map": "pca", "gallery": 8},
    }
    for block, values in changes.items():
        tree.setdefault(block, {}).update(values)
    return parse_params(tree)


def make_shards(root: Path, params: Params, galaxies: int = 150, mergers: int = 24, positions: bool = True) -> Paths:
    """Write survey, catalogue and shards below ``root``."""
    paths = Paths(root)
    survey = root / params.survey.root
    if not survey.exists():
        write_survey(survey, galaxies, mergers, positions=positions)
    result = build_catalog(survey, params.survey, params.target, params.split, workers=1)
    write_catalog(result.table, paths.catalog)
    catalog = read_catalog(paths.catalog)
    write_shards(catalog, survey, paths.shards, params.shard, result.refused, scratch=paths.scratch)
    return paths


def make_project(root: Path, params: Params, galaxies: int = 150, mergers: int = 24, positions: bool = True) -> Paths:
    """Write everything that the report reads below ``root``."""
    paths = make_shards(root, params, galaxies, mergers, positions)
    catalog, manifest = read_catalog(paths.catalog), Manifest.load(paths.manifest)
    kept = np.array([i for i, name in enumerate(catalog.ids) if name not in {one.id for one in manifest.refused}])
    ids = catalog.ids[kept].tolist()
    images = read_images(paths.shards, manifest, ids)
    store = write_embeddings(paths, ids, catalog.known_merger[kept])
    write_train(paths, images)
    write_evaluation(paths, params, catalog, kept, store)
    write_rank(paths, params, catalog, kept, store)
    paths.models.mkdir(exist_ok=True)
    receipt = {"name": "mergerscope-encoder", "alias": "champion", "weights_sha256": WEIGHTS}
    paths.champion.write_text(json.dumps(receipt))
    return paths


def embedding(known: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """(N, 24) float32 in which mergers lie ``strength`` away from the rest."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(known), 24)).astype(np.float32)
    values[:, 0] += 3
    values[:, :4] += strength * known[:, None]
    return values


def write_embeddings(paths: Paths, ids: list[str], known: np.ndarray) -> EmbeddingStore:
    paths.embeddings.mkdir()
    values = embedding(known, 1.0, 1).astype(np.float16)
    logits = (values[:, 1] + values[:, 2]).astype(np.float32)
    np.save(paths.embeddings / "shard-000000.npy", values)
    np.save(paths.embeddings / "shard-000000.pairs.npy", logits)
    (paths.embeddings / "shard-000000.ids.txt").write_text("".join(f"{name}\n" for name in ids))
    meta = {"dim": values.shape[1], "total": len(ids), "views": 8, "pooling": "stages", "shards": ["shard-000000"],
            "model": {"name": "mergerscope-encoder", "weights_sha256": WEIGHTS}}
    (paths.embeddings / "meta.json").write_text(json.dumps(meta))
    return EmbeddingStore.open(paths.embeddings)


def write_train(paths: Paths, images: np.ndarray, epochs: int = 8) -> None:
    folder = paths.train_results
    folder.mkdir(parents=True)
    rng = np.random.default_rng(2)
    t = np.linspace(0, 1, epochs)
    fall = np.exp(-3 * t) + rng.normal(0, 0.01, epochs)
    history = {
        "epoch": np.arange(epochs), "loss": 0.4 + 1.6 * fall, "pairs": 0.2 + 0.5 * fall,
        "simclr": 0.9 + 3 * fall, "pairs_accuracy": 0.95 - 0.4 * fall,
        "alignment": 0.3 + 0.4 * fall, "uniformity": -2.6 + 1.1 * fall,
        "feature_std": 0.8 + 0.2 * t, "effective_rank": 22 + 40 * (1 - fall), "validation_recall": 0.75 - 0.4 * fall,
        "validation_average_precision": 0.55 - 0.3 * fall, "learning_rate": 1e-3 * (1 - t),
    }  # fmt: skip
    with (folder / "history.csv").open("w", newline="") as file:
        csv.writer(file).writerows([list(history), *zip(*history.values(), strict=True)])
    validation = {"trained": {"recall": 0.73, "average_precision": 0.53}, "k": 100, "folds": 6,
                  "untrained": {"recall": 0.5, "average_precision": 0.33}}
    summary = {"validation": validation, "epochs": epochs, "images": len(images)}
    (folder / "metrics.json").write_text(json.dumps(summary))
    views = np.stack([images[:4], images[:4, :, ::-1], images[:4, :, :, ::-1], images[:4].swapaxes(2, 3)], axis=1)
    both = np.maximum(images[:6], np.roll(images[6:12], 6, axis=3))
    samples = {"views": views, "pairs_positive": both, "pairs_negative": images[12:18]}
    save_file(samples, folder / "samples.safetensors")


def write_evaluation(paths: Paths, params: Params, catalog: Catalog, kept: np.ndarray, store: EmbeddingStore) -> None:
    folder = paths.evaluate_results
    folder.mkdir(parents=True)
    known, role = catalog.known_merger[kept], catalog.role[kept]
    references = np.flatnonzero(role == "reference")
    judged = catalog.judged[kept] & (role != "reference")
    positive, hidden = known[judged], int((known & judged).sum())
    ks = sorted({k for k in FIXED_K if k <= judged.sum()} | ({hidden} if hidden else set()))
    stores = {"trained": store}
    for name, strength in {"untrained": 0.6, "rgb_pixels": 0.15, "pca_pixels": 0.3, "moco_references": 0.4}.items():
        stores[name] = EmbeddingStore.from_array(store.ids, embedding(known, strength, 5))
    rows, curves = [], []
    for encoder, some in stores.items():
        for ranker in available(some) if encoder in ("trained", "untrained") else ("mean_cosine", "whitened"):
            if not hidden:
                continue
            scores = score(ranker, some, references, params.rank)[judged]
            selected = (encoder, ranker) == ("trained", "whitened")
            rows.append({"encoder": encoder, "ranker": ranker, "selected": selected} | measure(scores, positive, ks))
            curves += curve_lines(encoder, ranker, selected, scores, positive)
    head = {"pool": int(judged.sum()), "hidden": hidden, "chance": hidden / int(judged.sum()), "splits": 3}
    (folder / "metrics.json").write_text(json.dumps({**head, "rows": rows, "significance": {}}))
    ends = [f"{metric}{end}" for metric in ("precision", "recall") for end in ("", "_low", "_high")]
    names = ["encoder", "ranker", "selected", "k", *ends, "chance_precision", "chance_recall"]
    write_csv(folder / "curves.csv", names, curves)
    names = ["encoder", "ranker", "metric", "difference", "welch_t", "welch_degrees", "welch_p", "permutation_p"]
    write_csv(folder / "significance.csv", names, [
        [encoder, ranker, metric, 0.21, 4.2, 7.5, 0.0031, 0.0005] for encoder, ranker in RIVALS
        for metric in ("average_precision", *(f"precision_at_{k}" for k in ks))
    ] if hidden else [])  # fmt: skip


def measure(scores: np.ndarray, positive: np.ndarray, ks: list[int]) -> dict[str, Any]:
    at = {"precision_at": metrics.precision_at, "recall_at": metrics.recall_at, "enrichment_at": metrics.enrichment_at,
          "ndcg_at": metrics.ndcg_at}
    return {
        "average_precision": around(metrics.average_precision(scores, positive)),
        "auroc": around(metrics.auroc(scores, positive)),
    } | {name: {str(k): around(function(scores, positive, k)) for k in ks} for name, function in at.items()}


def around(value: float) -> dict[str, float | None]:
    return {"value": value, "low": 0.85 * value, "high": min(1.15 * value, max(value, 1.0))}


def curve_lines(encoder: str, ranker: str, selected: bool, scores: np.ndarray, positive: np.ndarray) -> list[list[Any]]:
    lines = []
    for k in np.unique(np.geomspace(1, len(scores), 30).astype(int)):
        ends = []
        for function in (metrics.precision_at, metrics.recall_at):
            ends += list(around(function(scores, positive, k)).values())
        lines.append([encoder, ranker, str(selected).lower(), k, *ends, positive.mean(), k / len(scores)])
    return lines


def write_rank(paths: Paths, params: Params, catalog: Catalog, kept: np.ndarray, store: EmbeddingStore) -> None:
    folder = paths.rank_results
    folder.mkdir(parents=True)
    known = catalog.known_merger[kept]
    references = np.flatnonzero(known)
    scores = score("whitened", store, references, params.rank)
    order = np.argsort(-scores, kind="stable")
    order = order[~known[order]]
    units = store.rows(np.arange(store.size))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    likeness = units[order] @ units[references].T
    nearest = np.argsort(-likeness, axis=1)[:, :3]
    similarity = np.take_along_axis(likeness, nearest, axis=1)
    nearest = references[nearest]
    table: dict[str, Any] = {"rank": np.arange(1, len(order) + 1), "id": store.ids[order], "score": scores[order]}
    for n in range(nearest.shape[1]):
        table[f"nearest_reference_{n + 1}"] = store.ids[nearest[:, n]]
        table[f"similarity_{n + 1}"] = similarity[:, n]
    pq.write_table(pa.table(table), folder / "candidates.parquet")
    choice = [{"ranker": name, "average_precision": 0.3 + 0.02 * n, "recall_at_k": 0.5 + 0.03 * n, "k": 100, "folds": 6,
               "chosen": name == "whitened"} for n, name in enumerate(available(store))]  # fmt: skip
    tree = {"ranker": "whitened", "table": choice, "references": len(references)}
    (folder / "choice.json").write_text(json.dumps(tree))


def write_csv(path: Path, names: list[str], lines: list[list[Any]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *lines])
