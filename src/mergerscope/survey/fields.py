"""What may stand in one cell of a survey's table."""

from __future__ import annotations

import math
import re

__all__ = [
    "BLANKS", "MOST_REDDENING", "FieldError", "check_id", "parse_degrees", "parse_fraction", "parse_number",
    "parse_position", "parse_reddening", "shown",
]  # fmt: skip

BLANKS = frozenset({"", "nan", "na", "n/a", "null", "none"})
"""Written for "nobody knows", in any case of letters."""

MAX_ID = 80
"""A tar entry's name has room for 100 characters, and the sample's endings need some."""
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]*", re.ASCII)
SHOWN = 60
MOST_REDDENING = 10.0
"""E(B-V) in magnitudes, through which no galaxy is seen; what is larger marks an unknown one."""


class FieldError(ValueError):
    """One cell is unusable; becomes a `Refusal` of its row."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def check_id(text: str) -> None:
    """Refuse what cannot be the key of a sample in a shard.

    An id is ASCII letters, digits, ``_``, ``+`` and ``-``, begins with a letter or digit, and is at most 80 long.
    WebDataset cuts a key at its first dot, which would merge galaxies; nothing is replaced, for an id is never changed.

    Raises:
        FieldError: with the reason.
    """
    if not text:
        raise FieldError("empty-id", "the id is blank")
    if "." in text:
        raise FieldError("id-with-dot", f"{shown(text)}: a dot ends a sample's key in a shard; rename it")
    if "/" in text or "\\" in text:
        raise FieldError("id-with-slash", f"{shown(text)}: a slash would name a folder; rename it")
    if not ID.fullmatch(text):
        raise FieldError("id-characters", f"{shown(text)}: only A-Z a-z 0-9 _ + - may stand in an id")
    if len(text) > MAX_ID:
        raise FieldError("id-length", f"{shown(text)} has {len(text)} characters; at most {MAX_ID}")


def parse_number(text: str) -> float | None:
    """Return the number that ``text`` is, infinities included, or None where it is none."""
    try:
        # float() takes 1_000 for a thousand, which in a table is a slip.
        return None if "_" in text else float(text)
    except ValueError:
        return None


def parse_fraction(text: str, column: str) -> float | None:
    """Return a vote in 0...1, or None for a blank.

    Raises:
        FieldError: ``vote-not-a-number`` or ``vote-out-of-range``.
    """
    if text.strip().lower() in BLANKS:
        return None
    value = parse_number(text)
    if value is None or math.isnan(value):
        raise FieldError("vote-not-a-number", f"{column} is {shown(text)}")
    if not 0 <= value <= 1:
        raise FieldError("vote-out-of-range", f"{column} is {shown(text)}; a vote lies in 0...1")
    return value


def parse_degrees(text: str, column: str, low: float, high: float) -> float | None:
    """Return an angle in ``low``...``high`` degrees, or None for a blank.

    Raises:
        FieldError: ``position-not-a-number`` or ``position-out-of-range``.
    """
    if text.strip().lower() in BLANKS:
        return None
    value = parse_number(text)
    if value is None or math.isnan(value):
        raise FieldError("position-not-a-number", f"{column} is {shown(text)}; give decimal degrees")
    if not low <= value <= high:
        raise FieldError("position-out-of-range", f"{column} is {shown(text)}; it lies in {low:g}...{high:g} degrees")
    return value


def parse_position(cells: tuple[str, str], columns: tuple[str, str]) -> tuple[float | None, float | None]:
    """Return right ascension and declination, degrees, both or neither.

    Raises:
        FieldError: ``position-not-a-number``, ``position-out-of-range`` or ``position-incomplete``.
    """
    ra_deg = parse_degrees(cells[0], columns[0], 0, 360)
    dec_deg = parse_degrees(cells[1], columns[1], -90, 90)
    if (ra_deg is None) != (dec_deg is None):
        raise FieldError("position-incomplete", f"only one of {' and '.join(columns)} is given; give both or none")
    return ra_deg, dec_deg


def parse_reddening(text: str, column: str) -> float | None:
    """Return E(B-V) in magnitudes, or None for a blank.

    Raises:
        FieldError: ``reddening``: no number, negative, or above `MOST_REDDENING`.
    """
    if text.strip().lower() in BLANKS:
        return None
    value = parse_number(text)
    if value is None or not 0 <= value <= MOST_REDDENING:
        raise FieldError(
            "reddening", f"{column} is {shown(text)}; E(B-V) is a number of magnitudes in 0...{MOST_REDDENING:g}"
        )
    return value


def shown(text: str) -> str:
    """Quote what a user wrote for a message: short, printable, ASCII."""
    return ascii(text if len(text) <= SHOWN else text[:SHOWN] + "...")
