"""One look for every figure: colours, type, and SVG that follows the page's light or dark theme."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "DASHES", "NIGHT", "Panel", "new_figure", "panel_svg", "save_panels", "save_png", "spread"]

# Okabe and Ito's colour-blind safe hues, darkened until they read as text on paper. Every one is unique, because
# `panel_svg` replaces it by the CSS variable of the same name, which page.css sets for light and for dark.
COLOURS = {
    "ink": "#1f262d",
    "soft": "#5f6872",
    "faint": "#c2c8ce",
    "rule": "#e1e4e8",
    "paper": "#fdfcf9",
    "trained": "#0a5fa5",
    "untrained": "#a86500",
    "rgb-pixels": "#00785f",
    "pca-pixels": "#a2447f",
    "moco-references": "#bf4408",
}
# A line is told by its dash too, never by colour alone.
DASHES: dict[str, Any] = {
    "trained": "-",
    "untrained": (0, (5, 1.5)),
    "rgb-pixels": (0, (1, 1.2)),
    "pca-pixels": (0, (3, 1.2, 1, 1.2)),
    "moco-references": (0, (8, 2)),
}
# Pictures of galaxies stand on the night sky in both themes.
NIGHT = {"sky": "#0d1117", "ink": "#e8eaed", "soft": "#97a1ac", "unknown": "#57616d"}

SETTINGS: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib, so that a figure is the same on every machine
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.labelsize": 8,
    "axes.labelcolor": COLOURS["soft"],
    "axes.edgecolor": COLOURS["faint"],
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": COLOURS["rule"],
    "grid.linewidth": 0.6,
    "text.color": COLOURS["ink"],
    "text.parse_math": False,  # a vote column may hold a dollar sign
    "xtick.color": COLOURS["faint"],
    "ytick.color": COLOURS["faint"],
    "xtick.labelcolor": COLOURS["soft"],
    "ytick.labelcolor": COLOURS["soft"],
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "figure.facecolor": COLOURS["paper"],
    "savefig.facecolor": "auto",
    "figure.constrained_layout.w_pad": 0.05,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.hspace": 0.08,
    "figure.constrained_layout.wspace": 0.05,
    "svg.fonttype": "none",
    "svg.hashsalt": "mergerscope",
}
PNG_DPI = 200


@dataclass(frozen=True, slots=True)
class Panel:
    """One set of axes: a name, how to draw it, words for those who cannot see it, and its size in inches."""

    name: str
    draw: Callable[[Axes], None]
    alt: str
    width: float = 4.6
    height: float = 3.3


@contextmanager
def new_figure(width: float, height: float, **settings: Any) -> Iterator[Figure]:
    """A figure of ``width`` x ``height`` inches in the house style, free of pyplot's global state.

    Whatever is to be drawn or saved in that style belongs inside the block.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        for name, value in (SETTINGS | settings).items():
            mpl.rcParams[name] = value  # type: ignore[index]
        yield Figure(figsize=(width, height), layout="constrained")


def panel_svg(panel: Panel) -> str:
    """Draw a panel as an ``<svg>`` element for the inside of an HTML page.

    Colours become CSS variables and the type that of the page. Ids carry the panel's name, so that several
    can stand on one page. Byte-reproducible: no date, and ids that depend on the content alone.
    """
    with new_figure(panel.width, panel.height) as figure:
        panel.draw(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{panel.name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{panel.name}-\1)", svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{panel.name}-\1"', svg)
    svg = re.sub(r"font-family: [^;\"]+", "font-family: inherit", svg)
    for name, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{name})")
    return re.sub(r'\s(width|height)="[\d.]+pt"', "", svg, count=2)


def save_panels(panels: Sequence[Panel], path: Path, columns: int = 1) -> None:
    """Draw panels side by side, ``columns`` a row, and write them as one PNG."""
    rows = -(-len(panels) // columns)
    width = columns * max(panel.width for panel in panels)
    height = rows * max(panel.height for panel in panels)
    with new_figure(width, height) as figure:
        for place, panel in enumerate(panels, start=1):
            panel.draw(figure.add_subplot(rows, columns, place))
        save_png(figure, path)


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whatever the name's ending, without the version of the library in it."""
    figure.savefig(path, format="png", dpi=PNG_DPI, metadata={"Software": None})


def spread(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels apart along one axis: at least ``gap`` between two, inside ``low`` ... ``high`` where they fit.

    The least sum of squared moves that does it, by isotonic regression: labels that collide form a block around
    the mean of their places. Returns the new places in the order of the old ones; the order on the axis is kept.
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    # With the gaps taken out, labels must only not fall.
    blocks: list[list[float]] = []
    for rank, i in enumerate(order):
        blocks.append([places[i] - rank * gap, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (upper, many), (lower, few) = blocks.pop(), blocks.pop()
            blocks.append([(upper * many + lower * few) / (many + few), many + few])
    highest = max(low, high - (len(places) - 1) * gap)
    flat = [min(max(value, low), highest) for value, size in blocks for _ in range(round(size))]
    result = [0.0] * len(places)
    for rank, (value, i) in enumerate(zip(flat, order, strict=True)):
        result[i] = value + rank * gap
    return result
