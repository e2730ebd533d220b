"""How a survey comes into its folder: as a whole or not at all, and nothing of another is lost or left."""

import errno
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile

import pytest

from mergerscope.errors import MergerscopeError
from mergerscope.simulate import crew, write
from mergerscope.simulate.write import Recipe, simulate_survey

TABLE = Recipe(seed=3, side_px=32, merger_fraction=0)
FITS = Recipe(seed=3, side_px=32, merger_fraction=0, file_format="fits")


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("file_format", ["table", "fits"])
def test_the_size_of_a_chunk_changes_nothing(file_format, tmp_path, monkeypatch):
    what = Recipe(seed=3, side_px=32, merger_fraction=0.5, file_format=file_format)
    simulate_survey(tmp_path / "one", 5, what)
    monkeypatch.setattr(write, "CHUNK", 2)
    simulate_survey(tmp_path / "two", 5, what)
    assert names(tmp_path / "one") == names(tmp_path / "two")
    for name in names(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


@pytest.mark.parametrize(("survey", "file_format", "side_px", "galaxies"), [
    ("sdss", "table", 424, 64), ("sdss", "fits", 128, 64), ("hsc", "fits", 424, 9), ("hsc", "fits", 2048, 1),
])  # fmt: skip
def test_a_chunk_holds_about_32_mib(survey, file_format, side_px, galaxies):
    assert write._chunk(Recipe(survey=survey, file_format=file_format, side_px=side_px)) == galaxies


@pytest.mark.parametrize(("before", "after"), [(TABLE, FITS), (FITS, TABLE), (FITS, FITS), (TABLE, TABLE)])
def test_a_survey_replaces_the_former_as_a_whole(before, after, tmp_path):
    simulate_survey(tmp_path / "used", 3, before)
    simulate_survey(tmp_path / "used", 2, after)
    simulate_survey(tmp_path / "fresh", 2, after)
    assert names(tmp_path / "used") == names(tmp_path / "fresh")
    assert (tmp_path / "used" / "images").is_dir() == (after is FITS)
    if after is TABLE:
        with zipfile.ZipFile(tmp_path / "used" / "images.zip") as images:
            assert len(images.namelist()) == 2


@pytest.mark.parametrize("files", [{"catalog.csv": "id,filename,p_merger\n"}, {"images.zip": "real"}])
def test_a_survey_of_others_is_never_replaced(files, tmp_path):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(MergerscopeError, match="not simulated"):
        simulate_survey(tmp_path, 2, TABLE)
    assert {name: (tmp_path / name).read_text() for name in names(tmp_path)} == files


@pytest.mark.parametrize("place", ["images/simba.jpg", "images/587722984435351614.jpg", "images/sim0000000.jpg/a.jpg"])
@pytest.mark.parametrize("what", [TABLE, FITS])
def test_images_of_others_are_never_deleted(place, what, tmp_path):
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_bytes(b"real")
    with pytest.raises(MergerscopeError, match="no simulated survey wrote"):
        simulate_survey(tmp_path, 2, what)
    assert names(tmp_path) == [place]


def test_a_link_in_place_of_the_images_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "images").symlink_to("elsewhere")
    with pytest.raises(MergerscopeError, match="no plain folder"):
        simulate_survey(tmp_path, 2, FITS)


def test_a_place_that_cannot_be_is_named_with_the_reason(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MergerscopeError, match=r"file/sub: Not a directory"):
        simulate_survey(tmp_path / "file" / "sub", 2, TABLE)


def test_a_full_disk_leaves_the_former_survey(tmp_path, monkeypatch):
    simulate_survey(tmp_path, 2, TABLE)
    before = {name: (tmp_path / name).read_bytes() for name in names(tmp_path)}

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(MergerscopeError, match=rf"{tmp_path}: No space left"):
        simulate_survey(tmp_path, 3, TABLE)
    assert {name: (tmp_path / name).read_bytes() for name in names(tmp_path)} == before


def test_a_file_that_may_not_grow_is_a_message(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "from mergerscope.cli import main; main()", "simulate", "--out", "new", "--workers", "1",
         "--galaxies", "3", "--merger-fraction", "0"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500)),
    )  # fmt: skip
    assert done.returncode == 1
    assert "error: The survey cannot be written to new: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert names(tmp_path) == []


@pytest.mark.parametrize("file_format", ["table", "fits"])
@pytest.mark.parametrize("wait_s", [0.0, 4.0])
def test_ctrl_c_ends_the_workers_and_leaves_nothing(file_format, wait_s, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", "from mergerscope.cli import main; main()", "simulate", "--galaxies", "100000",
         "--format", file_format, "--workers", "2"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "data" / "catalog.csv.part").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(wait_s + 0.3)
    os.killpg(process.pid, signal.SIGINT)
    start = time.monotonic()
    _, said = process.communicate(timeout=60)
    assert time.monotonic() - start < 30
    assert (process.returncode, said.strip()) == (130, "Interrupted.")
    assert list((tmp_path / "data").iterdir()) == []


def _fail(task):
    if task == 1:
        raise ValueError(f"task {task}")
    time.sleep(600 if task else 0)
    return task


def test_an_error_in_a_worker_ends_the_others_at_once():
    start = time.monotonic()
    with pytest.raises(ValueError, match="task 1"):
        list(crew.in_order(_fail, range(9), 3))
    assert time.monotonic() - start < 300


def _die(task):
    os._exit(1)


def test_a_worker_that_dies_is_told():
    with pytest.raises(MergerscopeError, match="fewer --workers"):
        list(crew.in_order(_die, range(3), 2))
