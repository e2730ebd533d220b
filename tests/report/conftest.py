"""Projects of drawn galaxies on which every stage before the report has run."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mergerscope.report.build import build_page
from mergerscope.report.inputs import Inputs, load_inputs


@pytest.fixture(scope="session")
def inputs(made: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """A project with 24 known mergers among 150 galaxies, 2 rows of which are refused."""
    params = made.made_params()
    return load_inputs(made.make_project(tmp_path_factory.mktemp("project"), params), params)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Inputs], tuple[str, Path]]:
    """Build the page of some inputs; gives it and the folder of its figures."""

    def build(inputs: Inputs) -> tuple[str, Path]:
        figures = tmp_path_factory.mktemp("figures")
        return build_page(inputs, {"data": "0123abc"}, figures), figures

    return build


@pytest.fixture(scope="session")
def built(inputs: Inputs, build: Callable[[Inputs], tuple[str, Path]]) -> tuple[str, Path]:
    return build(inputs)


@pytest.fixture(scope="session")
def page(built: tuple[str, Path]) -> str:
    return built[0]
