"""dvc.yaml, the code and the command line tell the same story."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import grimp
import pytest
from ruamel.yaml import YAML

from mergerscope import cli
from mergerscope.params import Params
from mergerscope.paths import Paths

ROOT = Path(__file__).parents[1]
GRAPH = YAML(typ="safe").load(ROOT / "dvc.yaml")
STAGES = GRAPH["stages"]
BLOCKS = {name: field.alias or name for name, field in Params.model_fields.items()}

NARROWER = {("train", "rank"): "rank.folds"}
"""Blocks that a stage hands on whole, and all that is used of them: validation uses a ranker without settings."""


FREE = {"shard.workers", "embed.engine", "rank.engine"}
"""Settings that change no byte of any output (tests of the catalogue, of the shards and of the cluster prove it): to
list them would re-run the graph on another machine for nothing."""


OUTSIDE = ("fetch", "simulate", "completeness", "importing", "query", "sweep", "tables")
"""Rooms around the graph: no stage imports them."""


def leaves(entry):
    """The settings below an entry that can change an output: the fields of a block, or the entry itself."""
    tree = Params().model_dump(by_alias=True).get(entry)
    return {f"{entry}.{name}" for name in tree} - FREE if isinstance(tree, dict) else {entry} - FREE


def load_tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


wire = load_tool("wire")


@pytest.fixture(scope="module")
def imports():
    return grimp.build_graph("mergerscope", cache_dir=None)


def entries(stage, *kinds):
    """Paths under the given keys of a stage, whether plain or with options."""
    listed = [entry for kind in kinds for entry in STAGES[stage].get(kind, [])]
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in listed}


def outputs(stage):
    return entries(stage, "outs", "metrics", "plots")


def test_stages_are_the_files_and_the_verbs():
    files = {path.stem for path in (ROOT / "src/mergerscope/stages").glob("*.py")} - {"__init__"}
    assert files == set(STAGES)
    assert tuple(STAGES) == cli.STAGES
    assert {name: stage["cmd"] for name, stage in STAGES.items()} == {name: f"mergerscope {name}" for name in STAGES}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_says_what_it_does(name):
    assert STAGES[name]["desc"]


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_exactly_the_code_that_it_imports(name, imports):
    code = {path for path in entries(name, "deps") if path.startswith("src/")}
    assert code == set(wire.code_files(imports, name)), "run `make wire`"


def test_every_file_of_the_package_is_there_for_a_stage_or_around_the_graph(imports):
    around = {
        "cli.py", "explain.py", "summary.py", "py.typed", "survey/stretch.py", "report/sweep.html.j2",
        "tracking/study_runs.py", "publish/command.py", "publish/radius.py", "publish/run_crossmatch.py",
        "publish/match_tables.py", "publish/crossmatch.py", "publish/positions.py", "publish/samp.py",
        "search/alike.py", "search/index.py", "search/indexed.py",
    }  # fmt: skip
    listed = {path for name in STAGES for path in entries(name, "deps")}
    package = ROOT / "src/mergerscope"
    for path in sorted(package.rglob("*")):
        inside = path.relative_to(package)
        if path.is_dir() or "__pycache__" in path.parts or inside.parts[0] in OUTSIDE:
            continue
        if path.name != "__init__.py" and inside.as_posix() not in around:
            assert path.relative_to(ROOT).as_posix() in listed


def test_data_goes_one_way():
    made = {}
    for name in STAGES:
        for path in entries(name, "deps"):
            if not path.startswith(("src/", "${")):
                assert path in made, f"{name} reads {path}, which no stage before it writes"
        made |= dict.fromkeys(outputs(name), name)
    assert len(made) == sum(len(outputs(name)) for name in STAGES)


def test_outputs_are_the_paths_of_the_pipeline():
    paths = Paths(ROOT)
    known = [getattr(paths, name) for name, value in vars(Paths).items() if isinstance(value, property)]
    known = {path.relative_to(ROOT) for path in known}
    for name in STAGES:
        for path in map(Path, outputs(name)):
            assert path in known or path.parent in known, f"{name} writes {path}"


def tree_of(file):
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


def blocks_read(files):
    """Blocks, or leaves of blocks where only those are taken, that the files read from ``params``."""
    found = set()
    for file in files:
        parents = {child: node for node in ast.walk(tree_of(file)) for child in ast.iter_child_nodes(node)}
        for node in parents:
            if isinstance(node, ast.Attribute) and node.attr in BLOCKS and is_params(node.value):
                above = parents[node]
                leaf = f".{above.attr}" if isinstance(above, ast.Attribute) else ""
                found.add(f"{BLOCKS[node.attr]}{leaf}")
    return found


def is_params(node):
    return getattr(node, "id", getattr(node, "attr", None)) == "params"


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_declares_the_settings_that_it_reads(name, imports):
    # The tracking room writes all settings down and computes with none; its registry does, for `register` alone.
    own = "src/mergerscope/tracking/registry.py" if name == "register" else ""
    files = [
        file for file in wire.code_files(imports, name)
        if file.endswith(".py") and (file == own or "/tracking/" not in file)
    ]  # fmt: skip
    declared = set(STAGES[name]["params"])
    read = blocks_read(files)
    for entry in read:
        used = NARROWER.get((name, entry), entry)
        lacking = set() if used.split(".")[0] in declared else leaves(used) - declared
        assert used in declared or not lacking, f"lacks {', '.join(sorted(lacking))}"
    for entry in declared:
        inside = [other for other in read if f"{other}.".startswith(f"{entry}.") or f"{entry}.".startswith(f"{other}.")]
        assert inside, f"{entry} is declared and not read"


def test_a_setting_that_changes_no_byte_runs_nothing_again():
    for name, stage in STAGES.items():
        for entry in stage["params"]:
            assert entry not in FREE, name
            assert not {free for free in FREE if free.startswith(f"{entry}.")}, f"{name} lists all of {entry}"


def test_what_the_page_shows_of_the_survey_is_declared():
    """The report names the survey's digest, so it must run again when only the survey's bytes change."""
    assert "${survey.root}" in entries("report", "deps")


def test_declared_settings_exist():
    tree = Params().model_dump(by_alias=True)
    for stage in STAGES.values():
        for entry in stage["params"]:
            place = tree
            for part in entry.split("."):
                place = place[part]


def test_only_register_always_runs():
    assert [name for name, stage in STAGES.items() if stage.get("always_changed")] == ["register"]


def test_what_is_large_is_kept_out_of_git_and_what_is_small_is_in_it():
    cached = {
        path for name in STAGES for entry in STAGES[name].get("outs", []) + STAGES[name].get("metrics", [])
        + STAGES[name].get("plots", []) for path, options in [option_pair(entry)] if options.get("cache", True)
    }  # fmt: skip
    every = {path for name in STAGES for path in outputs(name)}
    said = subprocess.run(
        ["git", "check-ignore", "--no-index", *sorted(every)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert set(said.stdout.split()) == cached


def option_pair(entry):
    return (entry, {}) if isinstance(entry, str) else next(iter(entry.items()))


def test_import_contracts_hold():
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
