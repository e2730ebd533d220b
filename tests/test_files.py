"""Files that are whole or not there, whatever happens in between."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from mergerscope.files import put_folder, replacing, write_bytes, write_text


def test_a_file_and_its_folder_are_made_and_an_old_one_is_replaced(tmp_path):
    path = tmp_path / "a" / "b" / "c.txt"
    for text in ("first\r\n", "second"):
        write_text(path, text)
        assert path.read_bytes() == text.encode()
    assert [file.name for file in path.parent.iterdir()] == ["c.txt"]


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "table.csv"
    write_text(path, "whole")

    def half(fresh):
        fresh.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), replacing(path) as fresh:
        half(fresh)
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]
    assert path.read_text() == "whole"


def test_a_kill_leaves_what_was_there(tmp_path):
    path = tmp_path / "table.csv"
    write_text(path, "whole")
    program = f"""
import os, signal
from pathlib import Path
from mergerscope.files import replacing
with replacing(Path({str(path)!r})) as fresh:
    fresh.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode < 0
    assert path.read_text() == "whole"
    write_text(path, "again")  # over what the kill has left
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_several_may_write_one_shared_file_at_once(tmp_path):
    path = tmp_path / "shard.npy"
    contents = [bytes([number]) * 100_000 for number in range(20)]
    with ThreadPoolExecutor(8) as crew:
        list(crew.map(lambda data: write_bytes(path, data, shared=True), contents))
    assert path.read_bytes() in contents
    assert [file.name for file in tmp_path.iterdir()] == ["shard.npy"]


def test_a_folder_takes_the_place_of_another(tmp_path):
    place = tmp_path / "results" / "figures"
    for name in ("first", "second"):
        fresh = tmp_path / "work" / "fresh"
        (fresh / "deep").mkdir(parents=True)
        (fresh / "deep" / name).touch()
        (tmp_path / "work" / "fresh.old").mkdir()  # a kill has left it
        (tmp_path / "work" / "fresh.old" / "x").touch()
        put_folder(fresh, place)
        assert [file.name for file in (place / "deep").iterdir()] == [name]
        assert not list((tmp_path / "work").iterdir())
