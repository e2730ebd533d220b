"""MLflow's own servers: one that serves the champion, and one that keeps runs and models."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mergerscope.learn.embed import embed_images
from mergerscope.learn.encoder import load_encoder
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.tracking.champion import champion_run, load_champion
from mergerscope.tracking.registry import register
from mergerscope.tracking.runs import training_run
from mergerscope.tracking.store import experiment_id, initialise, tracking_uri

PATIENCE_S = 120


@contextmanager
def mlflow_process(words: list[str], ping: str, tracking: str, log: Path) -> Iterator[str]:
    """Run ``mlflow`` on a free port of this machine until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", *words, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": tracking, "PATH": path, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=log.parent, stdout=output, stderr=output, start_new_session=True
        )
        try:
            await_ping(f"http://127.0.0.1:{port}/{ping}", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def await_ping(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server did not start: {log.read_text(encoding='utf-8')}")


def post(address: str, body: object) -> tuple[int, dict[str, object]]:
    request = urllib.request.Request(
        f"{address}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_request_with_images_is_answered_with_embeddings(paths: Paths, params: Params, tmp_path: Path) -> None:
    register(paths, params)
    images = np.random.default_rng(5).integers(0, 256, (2, 3, 16, 16), np.uint8)
    encoder = load_encoder(paths.encoder_weights, paths.encoder_config)
    words = ["models", "serve", "-m", "models:/mergerscope-encoder@champion", "--env-manager", "local"]
    with mlflow_process(words, "ping", tracking_uri(paths), tmp_path / "server.log") as address:
        status, answer = post(address, {"inputs": images.tolist()})
        one_view = post(address, {"inputs": images.tolist(), "params": {"views": 1}})
        refused = post(address, {"inputs": images[:, :, 1:].tolist()})
        nonsense = post(address, {"inputs": images.tolist(), "params": {"views": 2}})
    assert status == 200
    for views, got in ((8, answer), (1, one_view[1])):
        expected = embed_images(encoder, images, views=views, batch_size=2).embedding
        np.testing.assert_allclose(got["predictions"], expected, rtol=1e-4, atol=1e-4)
    assert refused[0] == 400
    assert nonsense[0] == 400
    assert "1 or 8" in str(nonsense[1])


def test_runs_and_models_may_live_on_a_server(
    paths: Paths, params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = tracking_uri(paths)
    artifacts = ["--artifacts-destination", str(tmp_path / "artifacts")]
    words = ["server", "--backend-store-uri", backend, *artifacts]
    with mlflow_process(words, "health", backend, tmp_path / "server.log") as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        client = initialise(paths)
        client.rename_experiment(experiment_id(client), "of another project")
        with training_run(paths, params) as run:
            run.log_epoch(1, {"loss": 2.0})
            run.log_table(paths.train_results / "history.csv")
        register(paths, params).save(paths.champion)
        encoder, _ = load_champion(paths)
        assert champion_run(paths).id == run.id
    assert encoder.config.output_dim == 8
    assert list((tmp_path / "artifacts").rglob("history.csv"))
    assert not (paths.root / "mlartifacts").exists()
