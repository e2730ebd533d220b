"""The catalogue in numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from mergerscope.counts import count, plural
from mergerscope.survey.catalog import CatalogResult
from mergerscope.survey.fields import shown
from mergerscope.survey.refusals import count_reasons
from mergerscope.survey.roles import HIDDEN, POOL, REFERENCE, ROLES

__all__ = ["describe", "summarise"]

EXAMPLES = 20
"""Groups of duplicates that the summary names, and ids of each."""
COLUMNS_SHOWN = 5
UNIT_WORDS = {
    "nanomaggy": "in nanomaggies a pixel",
    "count": "in counts a pixel, for no zero point is known (flux.zero_point gives one)",
}
PLACEHOLDER = 10
"""So many galaxies with one picture are hardly one galaxy: rather a picture that says "no image"."""


def summarise(result: CatalogResult) -> dict[str, Any]:
    """Return what ``results/catalog/summary.json`` holds.

    ``rows + images_without_row == galaxies + refused``, and the three roles add up to ``galaxies``.
    """
    table = result.table
    known, roles = table["known_merger"].to_pylist(), table["role"].to_pylist()
    digests = table["pixel_digest"].to_pylist()
    by_role = Counter(roles)
    return {
        "format": result.format,
        "target": {"column": result.target.column, "threshold": result.target.threshold},
        "rows": result.rows,
        "images_without_row": result.images_without_row,
        "galaxies": table.num_rows,
        "refused": len(result.refused),
        "reasons": count_reasons(result.refused),
        "judged": sum(table["judged"].to_pylist()),
        "known_mergers": sum(known),
        "roles": {role: by_role[role] for role in ROLES},
        "with_position": table.num_rows - table["ra_deg"].null_count,
        "undecodable": digests.count(None),
        "duplicates": _duplicates(table["id"].to_pylist(), digests, roles, known),
        "vote_columns": list(result.vote_columns),
        "ignored_columns": result.ignored_columns,
        "notes": list(result.notes),
    } | ({} if result.flux is None else {"flux": {"bands": list(result.flux.bands), "unit": result.flux.unit}})


def describe(summary: dict[str, Any]) -> list[str]:
    """Return the summary as the few lines that a user reads on the terminal."""
    roles, twins = summary["roles"], summary["duplicates"]
    lines: list[str] = [
        f"{plural(summary['galaxies'], 'galaxy', 'galaxies')} ({summary['format']}): "
        f"{plural(summary['known_mergers'], 'known merger')} of {count(summary['judged'])} judged; "
        f"{plural(roles['reference'], 'reference')}, {count(roles['hidden'])} hidden, {count(roles['pool'])} pool"
    ]
    if "flux" in summary:
        lines.append(f"flux in {', '.join(summary['flux']['bands'])}, {UNIT_WORDS[summary['flux']['unit']]}")
    if summary["refused"]:
        reasons = ", ".join(f"{count(number)} x {reason}" for reason, number in summary["reasons"].items())
        lines.append(f"{count(summary['refused'])} refused ({reasons})")
    if summary["undecodable"]:
        images = plural(summary["undecodable"], "image")
        lines.append(f"{images} cannot be decoded and will be refused by the shard stage")
    if twins["groups"]:
        groups = plural(twins["groups"], "group")
        lines.append(f"{count(twins['galaxies'])} galaxies share their image with another, in {groups}")
    if twins["largest"] >= PLACEHOLDER:
        lines.append(f"{count(twins['largest'])} galaxies have one and the same image: if it stands for a missing one, "
                     "take those rows out")  # fmt: skip
    # Of a free table nobody but its owner knows what a fraction means: a redshift below 1 looks like votes as well.
    others = [shown(name) for name in summary["vote_columns"] if name != summary["target"]["column"]]
    if summary["format"] != "kaggle" and others:
        more = f" and {len(others) - COLUMNS_SHOWN} more" if len(others) > COLUMNS_SHOWN else ""
        lines.append(f"taken for votes beside the target: {', '.join(others[:COLUMNS_SHOWN])}{more}")
    ignored = [f"column {shown(name)} is left out: {why}" for name, why in summary["ignored_columns"].items()]
    lines += ignored[:COLUMNS_SHOWN]
    if len(ignored) > COLUMNS_SHOWN:
        more = plural(len(ignored) - COLUMNS_SHOWN, "more column is", "more columns are")
        lines.append(f"{more} left out, see results/catalog/summary.json")
    return [*lines, *summary["notes"], *_too_few(roles)]


def _too_few(roles: dict[str, int]) -> list[str]:
    """Say what cannot be done with the known mergers that there are, and how to get more."""
    more = "name more known mergers, or lower target.threshold"
    lines = []
    if not roles[HIDDEN]:
        lines.append(
            "warning: no known merger is hidden, so nothing can be judged: `evaluate` will have no figures. To get "
            f"some, {more}, raise split.hidden_fraction, or try another split.seed"
        )
    if roles[REFERENCE] < 2:
        lines.append(
            f"warning: with {plural(roles[REFERENCE], 'reference')} training cannot be validated, and `register` "
            f"will refuse the model unless register.gate is none. To get some, {more}, or lower split.hidden_fraction"
        )
    return lines


def _duplicates(
    ids: list[str], digests: list[str | None], roles: list[str], known: list[bool]
) -> dict[str, Any]:
    by_digest: dict[str, list[str]] = defaultdict(list)
    for identity, digest in zip(ids, digests, strict=True):
        if digest:
            by_digest[digest].append(identity)
    groups = [group for group in by_digest.values() if len(group) > 1]
    return {
        "groups": len(groups),
        "galaxies": sum(map(len, groups)),
        "largest": max(map(len, groups), default=0),
        # Without a merger vote of their own, but with the pixels, and so the role, of a known merger.
        "twins_of_known_mergers": sum(
            role != POOL and not is_known for role, is_known in zip(roles, known, strict=True)
        ),
        "examples": [group[:EXAMPLES] for group in groups[:EXAMPLES]],
    }
