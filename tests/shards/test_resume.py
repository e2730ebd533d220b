"""A killed run goes on at the shard it was at."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest

from mergerscope.errors import MergerscopeError
from mergerscope.params import ShardParams
from mergerscope.shards import pool
from mergerscope.shards.journal import Finished, Journal
from mergerscope.shards.pack import Packing, Row, Task
from mergerscope.shards.pool import packed_in_order
from mergerscope.shards.writer import write_shards
from mergerscope.survey.records import Refusal

RUN = """
import sys
from pathlib import Path
from mergerscope.params import ShardParams
from mergerscope.shards import writer
from mergerscope.survey.catalog import read_catalog

if __name__ == "__main__":
    here = Path(sys.argv[1])
    writer.INLINE = 0
    params = ShardParams(size=32, per_shard=4, workers=int(sys.argv[2]))
    catalog = read_catalog(here / "catalog.parquet")
    writer.write_shards(catalog, here / "survey", here / "shards", params, [], scratch=here / "scratch")
"""


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def write(here: Path, survey: Any, out: str = "shards", scratch: str = "scratch", **params: Any) -> Any:
    settings = ShardParams(**({"size": 32, "per_shard": 4, "workers": 1} | params))
    return write_shards(survey.catalog, survey.root, here / out, settings, [], scratch=here / scratch)


class KilledError(BaseException):
    """Stands for what ends a process at once."""


@pytest.fixture
def interrupted(make_survey: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A survey of ten shards, of which a run finished four before it was ended."""
    survey = make_survey(40)
    with monkeypatch.context() as patch:
        add = Journal.add

        def add_four(journal: Journal, entry: Finished) -> None:
            add(journal, entry)
            if entry.name == "shard-000003.tar":
                raise KilledError

        patch.setattr(Journal, "add", add_four)
        with pytest.raises(KilledError):
            write(tmp_path, survey)
    return survey


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the shards that are packed from now on."""
    names: list[str] = []
    pack = pool.pack_shard

    def note(store: Any, packing: Packing, task: Task) -> Finished:
        names.append(task.path.name)
        return pack(store, packing, task)

    monkeypatch.setattr(pool, "pack_shard", note)
    return names


def shards(*numbers: int) -> list[str]:
    return [f"shard-{number:06d}.tar" for number in numbers]


def test_finished_shards_are_kept(interrupted: Any, made: list[str], tmp_path: Path) -> None:
    write(tmp_path, interrupted)
    assert made == shards(*range(4, 10))
    write(tmp_path, interrupted, "clean", "elsewhere")
    assert contents(tmp_path / "shards") == contents(tmp_path / "clean")


def test_a_damaged_shard_is_made_again(interrupted: Any, made: list[str], tmp_path: Path) -> None:
    damaged = tmp_path / "scratch" / "shards" / "shard-000001.tar"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    (tmp_path / "scratch" / "shards" / "shard-000002.tar").unlink()
    write(tmp_path, interrupted)
    assert made == shards(1, 2, *range(4, 10))


def test_a_line_cut_short_is_a_shard_not_finished(interrupted: Any, made: list[str], tmp_path: Path) -> None:
    journal = tmp_path / "scratch" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-30])
    write(tmp_path, interrupted)
    assert made == shards(*range(3, 10))


def test_other_parameters_start_anew(interrupted: Any, made: list[str], tmp_path: Path) -> None:
    write(tmp_path, interrupted, crop=0.6)
    assert made == shards(*range(10))


def test_parameters_that_change_no_pixel_do_not(interrupted: Any, made: list[str], tmp_path: Path) -> None:
    write(tmp_path, interrupted, max_refused=0.3, workers=0)
    assert made == shards(*range(4, 10))


def test_a_replaced_image_is_packed_anew(interrupted: Any, made: list[str], tmp_path: Path) -> None:
    interrupted.catalog.pixel_digest[6] = "another"
    write(tmp_path, interrupted)
    assert made == shards(1, *range(4, 10))


def test_a_kill_between_the_two_renames(
    interrupted: Any, made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "old").touch()
    replace = Path.replace

    def until_the_second(path: Path, target: Path) -> Path:
        if target == tmp_path / "shards":
            raise KilledError
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", until_the_second)
        with pytest.raises(KilledError):
            write(tmp_path, interrupted)
    made.clear()
    write(tmp_path, interrupted)
    assert not made
    assert len(contents(tmp_path / "shards")) == 11
    assert not (tmp_path / "scratch").exists()


def test_refusals_of_finished_shards_are_remembered(make_survey: Any, made: list[str], tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl", tmp_path)
    refusal = Refusal("g1", "images/g1.jpg", "shard", "truncated", 'with "quotes", commas and \u00e9')
    journal.add(Finished("shard-000000.tar", "key", 0, "", (refusal,)))
    assert Journal(tmp_path / "journal.jsonl", tmp_path).find("shard-000000.tar", "key") == Finished(
        "shard-000000.tar", "key", 0, "", (refusal,)
    )


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_killed_process_leaves_no_worker_and_is_taken_up(make_survey: Any, made: list[str], tmp_path: Path) -> None:
    survey = make_survey(400)
    (tmp_path / "run.py").write_text(RUN)
    journal = tmp_path / "scratch" / "journal.jsonl"
    process = subprocess.Popen([sys.executable, tmp_path / "run.py", tmp_path, "2"], stderr=subprocess.DEVNULL)
    wait_for(lambda: journal.is_file() and len(journal.read_text().splitlines()) >= 3)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    assert len(children) >= 2
    wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children))

    finished = len(journal.read_text().splitlines())
    assert 3 <= finished < 100
    write(tmp_path, survey)
    assert len(made) in (100 - finished, 101 - finished)  # one more where the kill cut the last line
    write(tmp_path, survey, "clean", "elsewhere")
    assert contents(tmp_path / "shards") == contents(tmp_path / "clean")


def test_a_worker_that_dies_is_told(make_survey: Any, tmp_path: Path) -> None:
    survey = make_survey(8)
    rows = tuple(Row(key, f"images/{key}.jpg", 0.0, 0.0, 0.0) for key in survey.catalog.ids.tolist())

    def tasks() -> Any:
        for number in range(20):
            yield Task(tmp_path / f"shard-{number:06d}.tar", "", rows)
            if number == 5:
                for child in active_children():
                    os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(MergerscopeError, match=r"shard\.workers"):
        list(packed_in_order(Packing(survey.root, 0.75, 32), tasks(), 2))
