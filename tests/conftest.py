"""What tests of several rooms share."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest

# How long one example takes says nothing on a machine that does other work as well.
hypothesis.settings.register_profile("mergerscope", deadline=None)
hypothesis.settings.load_profile("mergerscope")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--renew-golden", action="store_true", help="write tests/golden anew instead of comparing")


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
