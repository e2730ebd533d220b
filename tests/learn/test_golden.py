"""The losses of a short training, as they were: a change of numbers that nobody meant shows here.

After one that is meant: ``python -m pytest tests/learn/test_golden.py --renew-golden``, and commit the file.
"""

from pathlib import Path

import pytest

from mergerscope.learn.fit import fit
from mergerscope.survey.catalog import read_catalog

GOLDEN = Path(__file__).parents[1] / "golden" / "loss_cpu.txt"
COLUMNS = ("loss", "pairs", "simclr", "moco")
TOLERANCE = 2e-3
"""Relative: processors and versions of torch round differently, and a training carries that on."""


def test_the_losses_of_a_short_training(small, settings, request):
    terms = {"pairs": {"weight": 1.0}, "simclr": {"weight": 0.3}, "moco": {"weight": 0.5}}
    params = settings(objective=terms, train={"epochs": 4, "batch_size": 20})
    history = fit(params, small.shards, read_catalog(small.catalog)).history
    found = [[row[name] for name in COLUMNS] for row in history]
    if request.config.getoption("--renew-golden"):
        lines = [" ".join(COLUMNS), *(" ".join(f"{value:.6f}" for value in row) for row in found)]
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text("\n".join(lines) + "\n", encoding="utf-8")
    columns, *lines = GOLDEN.read_text(encoding="utf-8").splitlines()
    assert columns.split() == list(COLUMNS)
    expected = [[float(value) for value in line.split()] for line in lines]
    assert len(found) == len(expected)
    for row, values in zip(found, expected, strict=True):
        assert row == pytest.approx(values, rel=TOLERANCE)
