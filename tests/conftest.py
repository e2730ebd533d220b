"""What tests of several rooms share."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest

PARALLEL = "PYTEST_XDIST_WORKER" in os.environ

LONGEST = ("pipeline/test_graph_runs.py", "stages/test_ray.py", "sweep/test_kills.py")
"""Files that are begun first where several processes share the tests out, so that none is waited for at the end."""

# Of work as small as here, several threads do nothing but wait for each other. Read when NumPy and torch are loaded, in
# this process and in the programs that tests start; Numba, which UMAP loads, would set torch's number to its own.
os.environ["OMP_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = "1"

# How long one example takes says nothing on a machine that does other work as well.
hypothesis.settings.register_profile("mergerscope", deadline=None)
hypothesis.settings.load_profile("mergerscope")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew-golden", action="store_true", help="write tests/golden anew instead of comparing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if PARALLEL:
        here = Path(__file__).parent
        rank = {here / name: number for number, name in enumerate(LONGEST)}
        items.sort(key=lambda item: rank.get(item.path, len(LONGEST)))


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """The module that draws galaxies and makes projects of them."""
    name = "mergerscope_made_project"
    if name not in sys.modules:
        path = Path(__file__).parent / "report" / "made_project.py"
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]
