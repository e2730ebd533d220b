"""What a sweep leaves behind, from studies of every kind."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from PIL import Image
from ruamel.yaml import YAML

from mergerscope.sweep.landscape import importances
from mergerscope.sweep.outcome import write_outcome
from mergerscope.sweep.plots import front_of
from mergerscope.sweep.scale import Scale, short

STRENGTH: dict[str, BaseDistribution] = {"views.strength": FloatDistribution(0, 1)}
TWO = STRENGTH | {"encoder.embedding_dim": IntDistribution(32, 1024, log=True)}
FIVE = TWO | {
    "train.learning_rate": FloatDistribution(1e-5, 0.1, log=True),
    "rank.ranker": CategoricalDistribution(("mean_cosine", "whitened", "nearest", "density")),
    "objective.pairs.encounters": FloatDistribution(0, 0.9, step=0.1),
}
C, P, F = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL
FIGURES = {"history", "intermediate", "importances", "parallel", "slice", "contour"}


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def made(
    space: dict[str, BaseDistribution], states: Sequence[TrialState | None], *, multi: bool = False, repeats: int = 1,
    constant: bool = False, storage: BaseStorage | None = None,
) -> optuna.Study:
    """A study with trials of these states; None is one that still runs."""
    rng = np.random.default_rng(len(states))
    study = optuna.create_study(
        directions=["maximize", "minimize"] if multi else ["maximize"], storage=storage or InMemoryStorage(),
        sampler=optuna.samplers.RandomSampler(seed=1), study_name="made",
    )
    settings = {
        "k": 100, "epochs": 3, "repeats": repeats, "pruner": "median", "sampler": "tpe", "multi_objective": multi,
        "space": {name: {"type": "float", "low": 0.0, "high": 1.0} for name in space}, "references": 60, "pool": 900,
        "folds": 6,
    }  # fmt: skip
    study.set_user_attr("settings", settings)
    for number, state in enumerate(states):
        trial = study.ask(space)
        trial.set_user_attr("baseline", number == 0)
        trial.set_user_attr("values", trial.params)
        level = 0.5 if constant else 0.4 + 0.2 * trial.params.get("views.strength", 0.5)
        if not multi:
            for epoch in range(1, 2 if state == P else 4):
                trial.report(level - 0.3 / epoch, epoch)
        if state == C:
            folds = [[level if constant else level + float(rng.normal(0, 0.05)) for _ in range(6)]
                     for _ in range(repeats)]
            recalls = [float(np.mean(fold)) for fold in folds]
            trial.set_user_attr("fold_recalls", folds)
            trial.set_user_attr("recalls", recalls)
            size = trial.params.get("encoder.embedding_dim", 64)
            study.tell(trial, [float(np.mean(recalls)), size] if multi else float(np.mean(recalls)))
        elif state is not None:
            if state == F:
                trial.set_user_attr("reason", "the loss became <infinite> & stayed so")
            study.tell(trial, state=state)
    return study


def outcome(study: optuna.Study, folder: Path) -> dict[str, Path]:
    files = write_outcome(study, folder, "made")
    assert all(file.is_file() for file in files)
    on_disk = {file for file in folder.rglob("*") if file.is_file()}
    assert on_disk == set(files)
    return {file.stem if file.suffix == ".png" else file.name: file for file in files}


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def text_of(page: str) -> str:
    page = re.sub(r"<(style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


MIXED = [C, C, P, C, F, C, P, C, C, None, C, P]


def test_a_usual_sweep(tmp_path: Path) -> None:
    study = made(FIVE, MIXED, storage=JournalStorage(JournalFileBackend(str(tmp_path / "journal.log"))))
    files = outcome(study, tmp_path / "made")
    assert files.keys() == {"best.yaml", "trials.csv", "report.html"} | FIGURES
    for name in FIGURES:
        with Image.open(files[name]) as picture:
            assert picture.width > 500

    best = study.best_trial
    yaml = files["best.yaml"].read_text(encoding="utf-8")
    assert YAML(typ="safe", pure=True).load(yaml) == best.params
    assert f"number {best.number} is best in recall at 100" in yaml
    assert "mergerscope sweep apply made" in yaml

    table = lines(files["trials.csv"])
    assert [line["state"] for line in table] == [state.name if state else "RUNNING" for state in MIXED]
    assert float(table[best.number]["value"]) == best.value
    assert float(table[best.number]["train.learning_rate"]) == best.params["train.learning_rate"]
    assert [line["baseline"] for line in table] == ["true"] + ["false"] * (len(MIXED) - 1)
    assert (table[2]["value"], table[2]["epochs"]) == ("", "1")
    assert "infinite" in table[4]["reason"]
    assert table[0]["spread"] == ""
    assert 0 < float(table[0]["fold_spread"]) < 0.2

    page = files["report.html"].read_text(encoding="utf-8")
    assert page.count("<figure") == len(re.findall(r'<svg role="img" aria-label="[^"]{20,}', page)) > 10
    assert not re.search(r'(src|href)="(?!#|data:)', page), "the page loads something"
    assert "&lt;infinite&gt; &amp; stayed so" in page
    words = text_of(page)
    assert "5 parameters were searched" in words
    assert "stopped (median pruning)" in words
    assert "a third of the 60 references was hidden among 900 galaxies" in words
    assert outcome(study, tmp_path / "made")["report.html"].read_text(encoding="utf-8") == page


@pytest.mark.parametrize(
    ("states", "figures", "words"),
    [
        ([], set(), "No trial was completed, so there is no best one."),
        ([None], {"intermediate"}, "No trial was completed, so there is no best one."),
        ([P, P, P], set(), "No trial was completed, so there is no best one."),
        ([F, F], {"intermediate"}, "No trial was completed, so there is no best one."),
        ([C], {"history", "intermediate", "slice"}, "Only the present settings (trial 0) were tried"),
        ([F, C], {"history", "intermediate", "slice"}, "The present settings have no completed trial"),
        ([C, C], {"history", "intermediate", "slice", "parallel"}, "trial"),
        ([C, P, P], {"history", "intermediate", "slice"}, "None of 2 other trials did better"),
    ],
)
def test_little_to_show(tmp_path: Path, states: list[TrialState | None], figures: set[str], words: str) -> None:
    files = outcome(made(TWO, states), tmp_path)
    assert files.keys() - {"report.html", "trials.csv", "best.yaml"} == figures
    assert ("best.yaml" in files) == (C in states)
    assert words in text_of(files["report.html"].read_text(encoding="utf-8"))
    assert len(lines(files["trials.csv"])) == len(states)


def test_what_no_longer_holds_is_removed(tmp_path: Path) -> None:
    assert "best.yaml" in outcome(made(TWO, [C] * 8), tmp_path)
    assert "best.yaml" not in outcome(made(TWO, [F]), tmp_path)


def test_recall_that_never_changes(tmp_path: Path) -> None:
    study = made(FIVE, [C] * 8, constant=True)
    assert importances(study) == {}
    files = outcome(study, tmp_path)
    assert "importances" not in files
    assert "None of 7 other trials did better" in text_of(files["report.html"].read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "fixed", [FloatDistribution(0.5, 0.5), IntDistribution(64, 64, log=True), CategoricalDistribution(("lda",))]
)
def test_a_parameter_of_one_value(tmp_path: Path, fixed: BaseDistribution) -> None:
    files = outcome(made(STRENGTH | {"rank.nearest_references": fixed}, [C] * 8), tmp_path)
    assert {"slice", "parallel", "contour", "importances"} <= files.keys()


def test_two_objectives(tmp_path: Path) -> None:
    study = made(TWO, [C] * 9 + [F], multi=True, repeats=3)
    files = outcome(study, tmp_path)
    assert files.keys() >= {"pareto", "history", "importances"}
    assert "intermediate" not in files
    table = lines(files["trials.csv"])
    assert table[3]["embedding_size"] == table[3]["encoder.embedding_dim"]
    assert float(table[3]["spread"]) > 0
    front = front_of(study.get_trials())
    assert {trial.number for trial in front} == {trial.number for trial in study.best_trials}
    assert [trial.values[1] for trial in front] == sorted(trial.values[1] for trial in front)
    highest = max(study.get_trials(states=[C]), key=lambda trial: trial.values[0])
    best = YAML(typ="safe", pure=True).load(files["best.yaml"].read_text(encoding="utf-8"))
    assert best == highest.params
    page = text_of(files["report.html"].read_text(encoding="utf-8"))
    assert "No trial beats those on the front" in page
    assert "3 times with different seeds" in page
    assert "no trial was stopped early" in page


def test_lost_trials_and_those_that_do_not_count_are_told_apart(tmp_path: Path) -> None:
    study = made(STRENGTH, [C, C, F])
    for attributes in ({"lost": "worker"}, {"stopped": True}, {"surplus": True}, {"retry_of": 3}):
        trial = study.ask(STRENGTH)
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
        if "retry_of" in attributes:
            study.tell(trial, 0.5)
        else:
            study.tell(trial, state=F)
    files = outcome(study, tmp_path)
    page = text_of(files["report.html"].read_text(encoding="utf-8"))
    for words in ("lost, tried again", "stopped", "one too many", "again for trial 3"):
        assert words in page
    assert lines(files["trials.csv"])[6]["retry_of"] == "3"


def test_importance_goes_to_what_matters() -> None:
    shares = importances(made(TWO, [C] * 40))
    assert list(shares) == ["views.strength", "encoder.embedding_dim"]
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["views.strength"] > 0.6


@pytest.mark.parametrize(
    ("distribution", "labels"),
    [
        (IntDistribution(32, 1024, log=True), ["32", "64", "128", "256", "512", "1024"]),
        (FloatDistribution(1e-5, 0.1, log=True), ["1e-5", "0.0001", "0.001", "0.01", "0.1"]),
        (FloatDistribution(0, 1), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (FloatDistribution(0.3, 0.3), ["0.3"]),
        (IntDistribution(3, 20), ["5", "10", "15", "20"]),
        (CategoricalDistribution(("a", None, "a_name_that_is_long")), ["a", "None", "a_name\u2026s_long"]),
    ],
)
def test_ticks(distribution: BaseDistribution, labels: list[str]) -> None:
    ticks = Scale.of("x", distribution).ticks()
    assert [label for _, label in ticks] == labels
    places = [place for place, _ in ticks]
    assert places == sorted(places)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.42731, "0.427"), (512, "512"), (512.0, "512"), (1.5e-5, "1.5e-5"), (True, "True"), (4096, "4096"), (0.0, "0"),
     (2.5e7, "2.5e7"), (-0.25, "-0.25")],
)  # fmt: skip
def test_short_values(value: Any, words: str) -> None:
    assert short(value) == words
