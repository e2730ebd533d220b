"""Where a study is kept: what survives a kill, and what is said where it cannot be kept."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time

import optuna
import pytest
from optuna.storages import RDBStorage
from sqlalchemy.exc import OperationalError

from mergerscope.errors import SweepError
from mergerscope.params import SweepParams
from mergerscope.sweep.count import counted
from mergerscope.sweep.ledger import Ledger
from mergerscope.sweep.storage import open_storage
from mergerscope.sweep.study import open_study, quiet_optuna

SETTINGS = {"epochs": 2, "repeats": 1, "space": {}}


def load(journal):
    return optuna.load_study(study_name="one", storage=open_storage(None, journal))


@pytest.fixture
def journal(tmp_path):
    quiet_optuna()
    place = tmp_path / "sweeps" / "one" / "journal.log"
    open_study(open_storage(None, place), "one", SweepParams(), SETTINGS, resume=False)
    return place


def test_a_line_that_a_full_disk_left_unfinished_is_cut_off(journal):
    whole = journal.read_bytes()
    with journal.open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"x", "study_')
    load(journal).set_user_attr("note", 1)
    assert load(journal).user_attrs["note"] == 1
    assert journal.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in journal.read_bytes().splitlines())


def test_the_lock_goes_with_its_holder(journal):
    program = """
        import os, signal, sys
        from pathlib import Path
        from mergerscope.sweep.storage import _Lock
        _Lock(Path(sys.argv[1])).acquire()
        print("held", flush=True)
        signal.pause()
    """
    held = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program), str(journal)], stdout=subprocess.PIPE)
    assert held.stdout.readline() == b"held\n"
    writes = "import optuna, sys; from pathlib import Path; from mergerscope.sweep.storage import open_storage\n" \
        "optuna.load_study(study_name='one', storage=open_storage(None, Path(sys.argv[1]))).set_user_attr('note', 2)"
    other = subprocess.Popen([sys.executable, "-c", writes, str(journal)], stderr=subprocess.DEVNULL)
    time.sleep(3)
    assert other.poll() is None
    held.kill()
    held.wait()
    held.stdout.close()
    assert other.wait(300) == 0
    assert load(journal).user_attrs["note"] == 2
    assert not list(journal.parent.glob("*.lock"))


def test_a_database_counts_as_a_journal_does(tmp_path):
    storage = open_storage(f"sqlite:///{tmp_path / 'studies.db'}", tmp_path / "unused.log")
    study = open_study(storage, "one", SweepParams(), SETTINGS, resume=False)
    ledger = Ledger(study, SweepParams(sampler="random"), 3, {"views.strength": 0.5, "encoder.embedding_dim": 512})
    first = ledger.claim()
    ledger.end(first.number, optuna.trial.TrialState.FAIL, lost="worker")
    while (trial := ledger.claim()) is not None:
        ledger.report(trial, 0.5, 1)
        ledger.end(trial.number, optuna.trial.TrialState.COMPLETE, [0.5])
    again = open_study(storage, "one", SweepParams(), SETTINGS, resume=True)
    assert len(counted(again)) == 3
    assert [trial.user_attrs.get("retry_of") for trial in again.trials] == [None, 0, None, None]
    assert not (tmp_path / "unused.log").exists()


def test_the_stock_command_line_reads_the_journal(journal):
    done = subprocess.run(
        [sys.executable, "-m", "optuna.cli", "studies", "--storage", str(journal), "-f", "json"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    said = done.stdout or subprocess.run(
        [sys.executable, "-c", "import sys; from optuna.cli import main; sys.exit(main())", "studies", "--storage",
         str(journal), "-f", "json"], capture_output=True, text=True, check=True, timeout=300,
    ).stdout  # fmt: skip
    assert [study["name"] for study in json.loads(said)] == ["one"]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("sqlite:////nowhere/at/all/studies.db", "unable to open database file"),
        ("postgresql://somebody:secret@127.0.0.1:1/studies", ""),
        ("mysql://somebody:secret@127.0.0.1:1/studies", ""),
        ("what://is/this", "what"),
        ("://", ""),
        ("redis://localhost", ""),
        ("/proc/nowhere/journal.log", "Is it a file that can be written?"),
    ],
)
def test_a_storage_that_cannot_be_reached(tmp_path, where, words):
    with pytest.raises(SweepError) as caught:
        open_storage(where, tmp_path / "journal.log")
    assert words in str(caught.value)
    assert "cannot be used" in str(caught.value) or "driver" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_journal_that_is_none(tmp_path):
    (tmp_path / "notes.txt").write_text("not a journal\nat all\n")
    with pytest.raises(SweepError, match=r"notes\.txt of the study cannot be used"):
        open_storage(str(tmp_path / "notes.txt"), tmp_path / "journal.log")


def test_tables_that_another_sweep_makes_at_this_moment(tmp_path, monkeypatch):
    first = iter([OperationalError("CREATE TABLE studies", {}, Exception("Table 'studies' already exists"))])

    def make(*given, **named):
        if error := next(first, None):
            raise error
        return RDBStorage(*given, **named)

    monkeypatch.setattr("mergerscope.sweep.storage.RDBStorage", make)
    storage = open_storage(f"sqlite:///{tmp_path}/studies.db", tmp_path / "none")
    assert storage.get_all_studies() == []
    assert next(first, "asked twice") == "asked twice"
