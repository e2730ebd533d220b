"""The template and how values look in it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from mergerscope.counts import count, plural
from mergerscope.report.evaluation import Metric
from mergerscope.report.style import Panel, panel_svg
from mergerscope.report.words import decimal, encoder_name, interval, percent, ranker_name

__all__ = ["Drawing", "draw", "render", "style_sheet"]

PACKAGE = "mergerscope.report"

Drawing = dict[str, Markup]


def draw(panel: Panel) -> Drawing:
    """A panel as an ``<svg>`` that says in words what it shows, for the template's macro ``drawing``."""
    start = Markup('<svg role="img" aria-label="{}" ').format(panel.alt)
    return {"svg": start + Markup(panel_svg(panel).removeprefix("<svg "))}


def render(template: str, context: Mapping[str, Any]) -> str:
    """Fill a template of this package; a name that it uses and ``context`` lacks is an error."""
    environment = Environment(
        loader=PackageLoader(PACKAGE, ""),
        # A survey's ids and file names are strangers' text: everything is escaped but our own drawings.
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "count": count,
        "decimal": decimal,
        "percent": percent,
        "plural": plural,
        "encoder": encoder_name,
        "ranker": ranker_name,
        "expected": lambda value: decimal(value, 0 if value >= 10 else 1).removesuffix(".0"),
        "metric": _metric,
    }
    return environment.get_template(template).render(context).lstrip()


def style_sheet() -> Markup:
    """The page's CSS, to stand inside its ``<style>``."""
    return Markup((files(PACKAGE) / "page.css").read_text(encoding="utf-8"))


def _metric(metric: Metric) -> str:
    """A value with its interval in brackets, for Markdown."""
    ends = interval(metric.low, metric.high)
    return f"{decimal(metric.value)} ({ends})" if ends else decimal(metric.value)
