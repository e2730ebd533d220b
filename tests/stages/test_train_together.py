"""The train stage in two processes: under torchrun, or killed and taken up again, it writes the same bytes."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from ruamel.yaml import YAML

from mergerscope.paths import Paths
from mergerscope.tracking.store import experiment_id, initialise

RESULTS = ("models/encoder.safetensors", "results/train/history.csv", "results/train/samples.safetensors")
COMMAND = (sys.executable, "-c", "from mergerscope.cli import main; main()", "train")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python")
PATIENCE_S = 900.0


@pytest.fixture
def project(trained, trained_params, monkeypatch):
    """Eleven galaxies in shards, settings for two processes, and no encoder yet."""
    monkeypatch.setenv("CI", "true")  # no system metrics
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    shutil.rmtree(trained.models)
    shutil.rmtree(trained.train_results)
    two = {"epochs": 20, "batch_size": 4, "workers": 1, "precision": "32", "device": "cpu", "devices": 2}
    params = trained_params.model_copy(update={"train": trained_params.train.model_copy(update=two)})
    YAML().dump(params.model_dump(mode="json", by_alias=True), trained.root / "params.yaml")
    return trained


def train(project: Paths, *launcher: str) -> str:
    done = subprocess.run(
        [*launcher, *COMMAND], cwd=project.root, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def killed(made: Paths, folder: Path) -> Paths:
    """Train in a copy, kill the first process once there is something to go on from, and return the copy."""
    for attempt in range(3):
        project = Paths(shutil.copytree(made.root, folder / str(attempt)))
        first = subprocess.Popen(COMMAND, cwd=project.root, stderr=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + PATIENCE_S
        while first.poll() is None and not any((project.scratch / "train").rglob("last.ckpt")):
            assert time.monotonic() < end
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        if first.wait() == -signal.SIGKILL:
            while left := running(first.pid):
                assert time.monotonic() < end, f"processes that have outlived the one that was killed: {left}"
                time.sleep(0.1)
            return project
        # This process was not looking: the training was over before it could be killed.
    pytest.fail("three trainings were over before they could be killed")


def running(session: int) -> list[psutil.Process]:
    """Return the processes of a session that have not ended."""
    found = []
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def test_launched_or_killed_and_resumed_it_writes_the_same_bytes(project, tmp_path):
    launched = Paths(shutil.copytree(project.root, tmp_path / "launched"))
    resumed = killed(project, tmp_path / "killed")
    train(project)
    train(launched, *TORCHRUN)
    train(resumed)
    for name in RESULTS:
        expected = (project.root / name).read_bytes()
        assert (launched.root / name).read_bytes() == expected, name
        assert (resumed.root / name).read_bytes() == expected, name
    for one in (launched, resumed):
        # The first process alone has logged; what was resumed went on in the run of what was killed.
        client = initialise(one)
        (run,) = client.search_runs([experiment_id(client)])
        assert run.info.status == "FINISHED"
