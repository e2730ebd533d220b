"""Keep dvc.yaml in step with the code: write, or with --check compare, each stage's list of code files.

A stage depends on every module that it imports, directly or not, wherever the import stands, on the packages around
them, and on the templates beside them. A list kept by hand forgets one, and then a change does not re-run the stage.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import grimp
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "mergerscope"
BY_PATH = {
    # MLflow runs this file when it loads a model
    "mergerscope.tracking.logged_model": ["tracking/served_model.py"],
    "mergerscope.report.page": ["report/page.html.j2", "report/macros.html.j2", "report/page.css"],
    "mergerscope.report.card": ["report/model_card.md.j2"],
}
"""Files that a module opens or hands on by their path, which no import shows."""


def code_files(graph: grimp.ImportGraph, stage: str) -> list[str]:
    """Return the files, relative to the root, that ``stages/<stage>.py`` runs."""
    done: set[str] = set()
    todo = {f"{PACKAGE}.stages.{stage}"}
    while todo:
        module = todo.pop()
        done.add(module)
        needed = graph.find_modules_directly_imported_by(module)
        # importing a.b.c runs the files of a and a.b first
        needed |= {module.rsplit(".", level)[0] for level in range(1, module.count(".") + 1)}
        needed |= {as_module(file) for file in BY_PATH.get(module, ()) if file.endswith(".py")}
        todo |= needed - done
    opened = {f"src/{PACKAGE}/{file}" for module in done for file in BY_PATH.get(module, ())}
    return sorted({as_file(module) for module in done} | opened)


def as_file(module: str) -> str:
    """Return the file of a module of the package, relative to the root."""
    path = Path("src", *module.split("."))
    return (path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py")).as_posix()


def as_module(file: str) -> str:
    """Return the module of a file, relative to the package."""
    return f"{PACKAGE}.{file.removesuffix('.py').replace('/', '.')}"


def wired(document: CommentedMap) -> dict[str, list[str]]:
    """Return the dependencies of each stage as they should be: what is data first, then the code."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    lists = {}
    for name, stage in document["stages"].items():
        data = [path for path in stage["deps"] if not path.startswith("src/")]
        lists[name] = data + code_files(graph, name)
    return lists


def main() -> int:
    """Write the lists into dvc.yaml, or say where they differ from what stands there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where a list is out of date")
    check = parser.parse_args().check
    yaml = YAML()
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    path = ROOT / "dvc.yaml"
    document = yaml.load(path.read_text(encoding="utf-8"))
    stale = 0
    for name, deps in wired(document).items():
        stage = document["stages"][name]
        for file in sorted(set(deps) ^ set(stage["deps"])):
            stale += 1
            print(f"dvc.yaml: {name}: {'lacks' if file in deps else 'no longer needs'} {file}")
        stage["deps"][:] = deps
    if stale and not check:
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(document, file)
    if stale and check:
        print("Run `make wire`.")
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
