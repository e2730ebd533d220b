"""The loss curve and the monitors of each epoch, as small multiples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.report.evaluation import read_csv, read_json
from mergerscope.report.style import COLOURS, Panel, spread
from mergerscope.report.words import decimal, is_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Training", "load_training", "training_panels"]

Array = np.ndarray[Any, Any]

MONITORS = ("alignment", "uniformity", "feature_std", "effective_rank", "validation_recall",
            "validation_average_precision", "learning_rate")
VALIDATION = {"validation_recall": "recall", "validation_average_precision": "average_precision"}
"""Columns of the history, and the name of the same score in metrics.json."""
LOOKS = (("trained", "-"), ("untrained", "--"), ("rgb-pixels", "-."), ("pca-pixels", (0, (1, 1))))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a panel, by epoch, and what the trained and the untrained network reach as they are used."""

    name: str
    values: Array
    trained: float | None = None
    untrained: float | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """Everything below results/train/."""

    history: dict[str, Array]
    """One number an epoch, by column; nan where an epoch has none."""
    metrics: dict[str, Any]
    samples: dict[str, Array]
    """uint8: ``views`` (n, v, C, H, W); ``pairs_positive`` and ``pairs_negative`` (n, C, H, W) where trained on."""

    @property
    def images(self) -> int:
        """Galaxies that the network was trained on."""
        return int(self.metrics["images"])

    @property
    def epochs(self) -> int:
        """Epochs that it was trained for: fewer than were asked for where the training stopped early."""
        return int(self.metrics["epochs"])

    def score(self, encoder: str, metric: str) -> float | None:
        """``recall`` or ``average_precision`` of an encoder on the validation folds, measured as it is used.

        That is over all views of a galaxy, where the history by epoch looks at one.
        """
        value = self.metrics.get("validation", {}).get(encoder, {}).get(metric)
        return float(value) if is_number(value) else None


def load_training(folder: Path) -> Training:
    """Read history.csv, metrics.json and samples.safetensors.

    Raises:
        MissingInputError: one of them is not there.
        ContractError: metrics.json does not tell images and epochs, or the samples cannot be read.
    """
    metrics = read_json(folder / "metrics.json", "train")
    if not (is_number(metrics.get("images")) and is_number(metrics.get("epochs"))):
        raise ContractError(f"{folder / 'metrics.json'} lacks `images` or `epochs`. Run `mergerscope train` again.")
    lines = read_csv(folder / "history.csv", "train")
    names = list(lines[0]) if lines else ["epoch", "loss"]
    history = {name: np.array([float(line[name] or "nan") for line in lines]) for name in names}
    path = folder / "samples.safetensors"
    if not path.is_file():
        raise MissingInputError(path, "train")
    try:
        samples = load_file(path)
    except SafetensorError as error:
        raise ContractError(f"{path} cannot be read: {error}. Run `mergerscope train` again.") from None
    return Training(history, metrics, {name: values for name, values in samples.items() if values.size})


def training_panels(training: Training) -> list[Panel]:
    """The loss with its terms, the validation scores against the untrained network, and the monitors."""
    columns = training.history
    extra = [name for name in columns if name not in ("epoch", "loss", *MONITORS)]
    accuracies = [name for name in extra if name.endswith("_accuracy")]
    k = training.metrics.get("validation", {}).get("k", "k")
    plans = [
        ("loss", "Loss", ["loss", *(name for name in extra if name not in accuracies)]),
        ("accuracy", f"Accuracy of {' and '.join(_plain(name) for name in accuracies)}", accuracies),
        ("validation", f"Validation: recall at {k}, average precision", list(VALIDATION)),
        ("alignment-uniformity", "Alignment and uniformity", ["alignment", "uniformity"]),
        ("feature-std", "Feature standard deviation", ["feature_std"]),
        ("effective-rank", "Effective rank", ["effective_rank"]),
    ]
    panels = []
    for name, title, wanted in plans:
        lines = [_line(training, column) for column in wanted if _known(columns.get(column, np.empty(0))).size]
        if lines:
            draw = partial(_draw, lines=lines, title=title)
            panels.append(Panel(name, draw, _words(title, lines), width=3.4, height=2.3))
    return panels


def _line(training: Training, column: str) -> Line:
    values, metric = training.history[column], VALIDATION.get(column)
    if metric is None:
        return Line(_plain(column), values)
    return Line(_plain(column), values, training.score("trained", metric), training.score("untrained", metric))


def _words(title: str, lines: list[Line]) -> str:
    ends = []
    for line in lines:
        known = _known(line.values)
        beside = f" (as used {decimal(line.trained)}, untrained {decimal(line.untrained)})" if line.trained else ""
        ends.append(f"{line.name} {decimal(known[0])} to {decimal(known[-1])}{beside}")
    return f"{title}, by epoch: {', '.join(ends)}."


def _plain(name: str) -> str:
    return name.removeprefix("validation_").removesuffix("_accuracy").replace("_", " ")


def _known(values: Array) -> Array:
    return np.asarray(values[np.isfinite(values)])


def _draw(axes: Axes, lines: list[Line], title: str) -> None:
    from matplotlib.ticker import MaxNLocator

    labels: list[tuple[float, str, str]] = []
    for line, (key, dash) in zip(lines, cycle(LOOKS), strict=False):
        epochs = np.flatnonzero(np.isfinite(line.values)) + 1
        axes.plot(epochs, _known(line.values), color=COLOURS[key], ls=dash, marker="o", markersize=2.2)
        end = line.trained if line.trained is not None else float(_known(line.values)[-1])
        if len(lines) > 1:
            labels.append((end, line.name, COLOURS[key]))
        behind = 1.08 * epochs[-1] + 0.3
        for value, face in ((line.trained, COLOURS[key]), (line.untrained, COLOURS["paper"])):
            if value is not None:
                axes.plot([behind], [value], "o", color=COLOURS[key], markerfacecolor=face, markersize=5)
        if line.untrained is not None:
            labels.append((line.untrained, "untrained", COLOURS[key]))
    axes.set_title(title)
    axes.set_xlabel("epochs done")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.margins(y=0.12)
    low, high = axes.get_ylim()
    places = spread([label[0] for label in labels], 0.1 * (high - low), low, high)
    for place, (_, text, colour) in zip(places, labels, strict=True):
        axes.text(1.02, place, text, color=colour, transform=axes.get_yaxis_transform(), va="center_baseline")
