import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.counts import count, plural
from mergerscope.report.style import COLOURS, spread
from mergerscope.report.tables import p_value
from mergerscope.report.words import decimal, interval, percent

MINUS, DASH, GAP = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(("value", "text"), [
    (0.5, "0.50"), (0, "0.00"), (-0.25, f"{MINUS}0.25"), (0.004, "0.004"), (0.00042, "0.0004"), (3e-7, f"3e{MINUS}07"),
    (None, DASH), (math.nan, DASH), (math.inf, DASH),
])  # fmt: skip
def test_decimal(value, text):
    assert decimal(value) == text


@pytest.mark.parametrize(("value", "text"), [
    (0.83, f"83{GAP}%"), (1.0, f"100{GAP}%"), (0.0, f"0{GAP}%"), (0.053, f"5.3{GAP}%"), (0.0004, f"0.04{GAP}%"),
    (None, DASH),
])  # fmt: skip
def test_percent(value, text):
    assert percent(value) == text


def test_counts_and_intervals():
    assert count(61578) == "61,578"
    assert plural(1, "galaxy", "galaxies") == "1 galaxy"
    assert plural(0, "row") == "0 rows"
    assert interval(0.1, 0.25) == f"0.10{DASH}0.25"
    assert interval(None, 0.2) == ""


@pytest.mark.parametrize(("value", "text"), [
    (0.5, "0.50"), (0.032, "0.032"), (0.0012, "0.0012"), (0.00012, "0.00012"),
    (0.00002, f"< 1e{MINUS}4"), (3e-9, f"< 1e{MINUS}8"),
    (0.0, f"< 1e{MINUS}15"), (math.nan, DASH),
])  # fmt: skip
def test_p_value_is_never_zero(value, text):
    assert p_value(value) == text


@given(st.lists(st.floats(0, 1), max_size=8))
def test_spread_keeps_order_and_parts_labels(places):
    moved = spread(places, 0.1, 0.0, 1.0)
    assert len(moved) == len(places)
    by_place = [moved[i] for i in sorted(range(len(places)), key=lambda i: places[i])]
    assert all(b - a > 0.1 - 1e-9 for a, b in pairwise(by_place))
    assert not moved or (min(moved) > -1e-6 and max(moved) < 1 + 1e-6)


def test_colours_are_told_apart_by_name():
    assert len(set(COLOURS.values())) == len(COLOURS)
