"""Which columns of a free table are votes.

The target column is one because the user says so: a cell of it that is no fraction refuses its row. Any other
column is one only if every cell that is not blank is a number in 0...1; otherwise it is left out of the catalogue,
and the summary says why, for a galaxy should not be lost over a column that nobody asked for.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass

from mergerscope.errors import SurveyError
from mergerscope.survey.fields import BLANKS, FieldError, parse_fraction, parse_number, shown
from mergerscope.survey.rows import TableFile

__all__ = ["RESERVED", "TRUTH", "VoteColumns", "check_target", "find_vote_columns"]

RESERVED = frozenset(
    {"id", "image", "ra_deg", "dec_deg", "pixel_digest", "vote", "known_merger", "judged", "role"}
)
"""Columns of the catalogue that a vote column would overwrite."""

TRUTH = (
    "truth_class", "magnitude_r", "redshift", "petro_r90_arcsec", "psf_fwhm_arcsec", "bulge_fraction", "axis_ratio",
    "arms", "arm_winding", "arm_contrast", "bar", "clumpy", "ring", "dust_lane", "visible_tidal_snr",
    "second_nucleus_snr", "separation_arcsec", "separation_r90", "colour_difference", "size_ratio", "mass_ratio",
    "time_since_pericentre_gyr", "separation_kpc", "separation_3d_kpc", "pericentre_kpc", "spin_orbit_1_deg",
    "spin_orbit_2_deg", "tidal_fraction", "stage",
)  # fmt: skip
"""What only a simulated sky knows of a galaxy. Some lie in 0...1; beside ``truth_class`` none of them is a vote."""


@dataclass(frozen=True, slots=True)
class VoteColumns:
    """The vote columns of a table and what became of the others."""

    names: tuple[str, ...]
    """In the table's order."""
    ignored: dict[str, str]
    """Why, by name."""


def check_target(target: str, columns: Collection[str], where: str) -> None:
    """Make sure that the table has the target column under a name that the catalogue can keep.

    Raises:
        SurveyError: it has not; names the columns nearest to it.
    """
    if target not in columns:
        near = difflib.get_close_matches(target, columns, n=3, cutoff=0.5)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Its columns: {', '.join(columns)}."
        raise SurveyError(f"{where} has no column {target!r}, which is target.column in params.yaml. {hint}")
    if target in RESERVED:
        raise SurveyError(f"{where}: the catalogue keeps a column {target!r} of its own, so none of votes may have "
                          "that name. Rename it there and in target.column of params.yaml.")  # fmt: skip


def find_vote_columns(table: TableFile, target: str, taken: Collection[str]) -> VoteColumns:
    """Go through the table once and say which of its columns are votes.

    Args:
        table: the table.
        target: always among the votes.
        taken: columns that mean something else (``id``, ``filename``, positions).

    Raises:
        SurveyError: the target column is missing, or holds no number at all.
    """
    check_target(target, table.columns, table.name)
    candidates = {name: i for i, name in enumerate(table.columns) if name not in taken and name not in RESERVED}
    ignored = {name: "the catalogue has a column of that name" for name in table.columns
               if name in RESERVED and name not in taken}  # fmt: skip
    if TRUTH[0] in table.columns:
        for name in candidates.keys() & set(TRUTH) - {target}:
            ignored[name] = "the truth of a simulated sky, and no vote"
            del candidates[name]
    blank = set(candidates)
    numbers = 0  # in the target column
    first_other = ""
    for row in table.rows():
        if len(row.cells) != len(table.columns):
            continue
        for name, i in list(candidates.items()):
            text = row.cells[i]
            if text.strip().lower() in BLANKS:
                continue
            blank.discard(name)
            if name == target:
                is_number = parse_number(text) is not None
                numbers += is_number
                first_other = first_other or ("" if is_number else f"{shown(text)} in {row.source}")
            elif not _is_vote(text, name):
                ignored[name] = f"{shown(text)} in {row.source} is no fraction in 0...1"
                del candidates[name]
    if first_other and not numbers:
        raise SurveyError(f"{table.name}: column {target!r} holds no votes but {first_other}. "
                          "Set target.column in params.yaml to a column of fractions in 0...1.")  # fmt: skip
    for name in blank - {target}:
        ignored[name] = "every cell is blank"
        del candidates[name]
    return VoteColumns(tuple(candidates), {name: ignored[name] for name in table.columns if name in ignored})


def _is_vote(text: str, column: str) -> bool:
    try:
        parse_fraction(text, column)
    except FieldError:
        return False
    return True
