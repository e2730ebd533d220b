"""A map of the embedding: every galaxy a point, coloured by vote, with a few pictures on it."""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from mergerscope.errors import MissingExtraError
from mergerscope.report.images import thumbnail
from mergerscope.report.inputs import Inputs
from mergerscope.report.style import NIGHT, new_figure, save_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["EmbeddingMap", "draw_map", "make_map", "project"]

Array = np.ndarray[Any, Any]

SEED = 1
CELLS = 10
"""The map is divided into so many columns and rows; every other cell that is not empty gets a picture."""
PICTURE_SIDE = 64
APART = (0.05, 0.075)
"""Least distance of two pictures, as fractions of the map's width and height: they do not overlap."""
# From a blue that can be seen on the night sky to a pale yellow, ever lighter, so that no hue need be told.
VOTE_COLOURS = ("#3a6fa8", "#7a74b8", "#c96f9b", "#f58f6c", "#ffc25e", "#fff6b0")


@dataclass(frozen=True, slots=True)
class EmbeddingMap:
    """Places (n, 2) of galaxies on the map, in 0 ... 1, and the store's row of each."""

    places: Array
    rows: Array
    method: str


def make_map(inputs: Inputs) -> EmbeddingMap:
    """Put all known mergers and a random sample of the rest on a map."""
    rng = np.random.default_rng(SEED)
    known, others = np.flatnonzero(inputs.known), np.flatnonzero(~inputs.known)
    room = max(0, inputs.params.report.map_galaxies - len(known))
    rows = np.sort(np.concatenate([known, rng.permutation(others)[:room]]))
    places, method = project(inputs.store.rows(rows), inputs.params.report.map)
    return EmbeddingMap(places, rows, method)


def project(embeddings: Array, wish: str) -> tuple[Array, str]:
    """Bring embeddings (n, D) to two dimensions.

    Args:
        embeddings: float32 (n, D).
        wish: ``umap`` (McInnes et al. 2018, arXiv:1802.03426), ``pca``, or ``auto`` for UMAP where it is installed.

    Returns:
        Places (n, 2) scaled to 0 ... 1, and the method that was used. Equal input gives equal places.

    Raises:
        MissingExtraError: UMAP is asked for and not installed.
    """
    installed = importlib.util.find_spec("umap") is not None
    if wish == "umap" and not installed:
        raise MissingExtraError("umap-learn", "umap", "params.yaml: `report.map: umap`")
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    units = embeddings / np.maximum(lengths, 1e-12)
    neighbours = min(15, len(units) - 1)
    # UMAP's start from a spectrum needs more galaxies than neighbours by a margin.
    use_umap = wish != "pca" and installed and len(units) >= 2 * neighbours and neighbours >= 4
    places = _umap(units, neighbours) if use_umap else _pca(units)
    low, high = places.min(axis=0), places.max(axis=0)
    return (places - low) / np.maximum(high - low, 1e-12), "UMAP" if use_umap else "PCA"


def _umap(units: Array, neighbours: int) -> Array:
    with warnings.catch_warnings():
        # Importing it warns about TensorFlow, which only its parametric form would use.
        warnings.simplefilter("ignore")
        # Exact neighbours: its own way to them takes half of all its time for surveys below 4,096 galaxies.
        distances, indices = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(units).kneighbors(units)
        # One job: with more, equal seeds give different maps.
        model = importlib.import_module("umap").UMAP(
            n_neighbors=neighbours, min_dist=0.1, random_state=SEED, n_jobs=1, precomputed_knn=(indices, distances)
        )
        return np.asarray(model.fit_transform(units), np.float64)


def _pca(units: Array) -> Array:
    centred = (units - units.mean(axis=0)).astype(np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    top = axes[:, ::-1][:, :2]
    # The sign of an eigenvector is arbitrary: its largest entry is made positive.
    top = top * np.sign(top[np.abs(top).argmax(axis=0), [0, 1]])
    return np.asarray(centred @ top)


def draw_map(inputs: Inputs, where: EmbeddingMap, path: Path) -> None:
    """Write the map as a PNG on a dark ground."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("votes", VOTE_COLOURS)
    votes, known = inputs.votes[where.rows], inputs.known[where.rows]
    x, y = where.places.T
    look = {"text.color": NIGHT["ink"], "figure.facecolor": NIGHT["sky"]}
    with new_figure(10.4, 6.6, **look) as figure:
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set_xlim(-0.03, 1.03)
        axes.set_ylim(-0.04, 1.04)
        unknown = ~np.isfinite(votes)
        axes.scatter(x[unknown], y[unknown], s=3, color=NIGHT["unknown"], lw=0, zorder=1)
        judged = np.flatnonzero(~unknown)[np.argsort(votes[~unknown], kind="stable")]
        shown = axes.scatter(x[judged], y[judged], s=9, c=votes[judged], cmap=colours, vmin=0, vmax=1, lw=0, zorder=2)
        axes.scatter(x[known], y[known], s=26, facecolor="none", edgecolor="white", lw=0.6, zorder=3)
        _pictures(axes, inputs, where)
        bar = figure.colorbar(shown, ax=axes, location="bottom", shrink=0.32, aspect=42, pad=0.015)
        bar.outline.set_visible(False)
        bar.ax.tick_params(colors=NIGHT["soft"], length=0)
        bar.set_label(f"vote for {inputs.params.target.column}; ringed: known; grey: nobody voted", color=NIGHT["soft"])
        save_png(figure, path)


def _pictures(axes: Axes, inputs: Inputs, where: EmbeddingMap) -> None:
    """Set the galaxy nearest to the middle of a cell beside its point, in every other cell that is not empty."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    cell = np.minimum((where.places * CELLS).astype(int), CELLS - 1)
    off_middle = np.linalg.norm(where.places * CELLS - cell - 0.5, axis=1)
    mergers = where.places[inputs.known[where.rows]]
    taken: set[tuple[int, int]] = set()
    chosen: list[int] = []
    for i in np.argsort(off_middle, kind="stable").tolist():
        key = (int(cell[i, 0]), int(cell[i, 1]))
        if sum(key) % 2 or key in taken or _covers(where.places[chosen], where.places[i], APART):
            continue
        # A picture may lie on its own point, and on no crowd of known mergers.
        if _covers(mergers, where.places[i], (APART[0] / 2, APART[1] / 2)) <= 1:
            taken.add(key)
            chosen.append(i)
    ids = inputs.store.ids[where.rows[chosen]].tolist()
    for i, image in zip(chosen, inputs.pictures(ids), strict=True):
        picture = OffsetImage(thumbnail(image, PICTURE_SIDE), zoom=32 / PICTURE_SIDE, resample=True)
        frame = {"edgecolor": "white" if inputs.known[where.rows[i]] else NIGHT["unknown"], "lw": 0.8}
        axes.add_artist(AnnotationBbox(picture, tuple(where.places[i]), pad=0, bboxprops=frame))


def _covers(places: Array, centre: Array, reach: tuple[float, float]) -> int:
    """How many places (n, 2) lie closer to the centre than ``reach`` in both directions."""
    return int((np.abs(places - centre) < reach).all(axis=1).sum())
