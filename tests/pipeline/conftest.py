"""A project of its own for the graph to run in: this working tree, committed, with settings that take a minute."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]

QUICK = {
    "shard": {"size": 32, "per_shard": 250},
    "encoder": {"width": 0.125, "embedding_dim": 32},
    "train": {"epochs": 2, "batch_size": 64, "monitor_images": 200},
    "register": {"gate": "none"},
    "embed": {"views": 1},
    "evaluate": {"splits": 2, "bootstrap": 100, "baseline_epochs": 1},
    "rank": {"folds": 2},
    "report": {"map": "pca", "map_galaxies": 200},
}


@dataclass(frozen=True)
class Project:
    """A clone and how to run programs in it."""

    root: Path
    environment: dict[str, str]

    def start(self, *command, **more):
        return subprocess.Popen(command, cwd=self.root, env=self.environment, text=True, **more)

    def run(self, *command):
        """Run a program that must succeed, and return what it wrote to both streams."""
        done = subprocess.run(
            command, cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=1800, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout[-6000:]}"
        return done.stdout

    def set(self, block, **values):
        path = self.root / "params.yaml"
        tree = YAML().load(path)
        tree[block].update(values)
        YAML().dump(tree, path)

    def commit(self, message):
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("clone") / "mergerscope"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    # results and the lock are made anew
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("results/", "dvc.lock")):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    made = Project(root, environment(root.parent))
    made.run("git", "init", "--quiet")
    for block, values in QUICK.items():
        made.set(block, **values)
    made.commit("Start")
    return made


def environment(home):
    """Of a user without settings of their own, who has this environment's programs on the path."""
    taken = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "DVC_", "GIT_"))}
    who = {"NAME": "Test", "EMAIL": "test@example.org"}
    return taken | {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "CI": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "DVC_NO_ANALYTICS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
    }  # fmt: skip
