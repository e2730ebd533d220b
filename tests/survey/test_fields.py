"""What a cell may hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.survey.fields import FieldError, check_id, parse_degrees, parse_fraction, shown


@pytest.mark.parametrize("text", ["100053", "J1234+05-06", "a_b", "0", "Z" * 80])
def test_good_ids(text: str) -> None:
    check_id(text)


@pytest.mark.parametrize(("text", "reason"), [
    ("", "empty-id"), ("12.5", "id-with-dot"), ("a.jpg", "id-with-dot"), ("a/b", "id-with-slash"),
    ("a\\b", "id-with-slash"), ("a b", "id-characters"), (" 1", "id-characters"), ("1\n", "id-characters"),
    ("\u0661", "id-characters"), ("caf\u00e9", "id-characters"), ("-1", "id-characters"), ("a\0", "id-characters"),
    ("a" * 81, "id-length"),
])  # fmt: skip
def test_bad_ids(text: str, reason: str) -> None:
    with pytest.raises(FieldError) as caught:
        check_id(text)
    assert caught.value.reason == reason
    assert caught.value.detail.isascii()


@given(st.floats(0, 1))
def test_fractions_are_read_exactly(value: float) -> None:
    assert parse_fraction(repr(value), "x") == value


@pytest.mark.parametrize("text", ["", " ", "nan", "NaN", "NA", "n/a", "null", "None"])
def test_blanks(text: str) -> None:
    assert parse_fraction(text, "x") is None
    assert parse_degrees(text, "ra_deg", 0, 360) is None


@pytest.mark.parametrize(("text", "reason"), [
    ("1.0001", "vote-out-of-range"), ("-0.1", "vote-out-of-range"), ("inf", "vote-out-of-range"),
    ("-99", "vote-out-of-range"), ("yes", "vote-not-a-number"), ("0,5", "vote-not-a-number"),
    ("1_0", "vote-not-a-number"), ("-nan", "vote-not-a-number"),
])  # fmt: skip
def test_bad_votes(text: str, reason: str) -> None:
    with pytest.raises(FieldError, match="p_merger") as caught:
        parse_fraction(text, "p_merger")
    assert caught.value.reason == reason


@pytest.mark.parametrize(("text", "reason"), [
    ("360.1", "position-out-of-range"), ("-0.001", "position-out-of-range"), ("12:34:56", "position-not-a-number"),
    ("-inf", "position-out-of-range"),
])  # fmt: skip
def test_bad_positions(text: str, reason: str) -> None:
    with pytest.raises(FieldError, match="ra_deg") as caught:
        parse_degrees(text, "ra_deg", 0, 360)
    assert caught.value.reason == reason


def test_what_is_shown_is_short_and_printable() -> None:
    assert shown("\x1b[31m\u00e9") == "'\\x1b[31m\\xe9'"
    assert len(shown("x" * 10_000)) < 80
