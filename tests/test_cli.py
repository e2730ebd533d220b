"""The command line: help at once, errors as messages with codes, nothing else hidden."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from mergerscope import __version__, cli
from mergerscope.errors import ContractError, GateError
from mergerscope.shards.manifest import Manifest
from mergerscope.stages import catalog

HEAVY = ("torch", "mlflow", "sklearn", "matplotlib", "pytorch_lightning", "scipy", "pandas", "pyarrow", "pydantic")

AROUND = ("simulate", "completeness", "search", "import-embeddings", "params", "summary", "ui")
"""Verbs that are no stages."""


def run(*arguments, cwd=None, **more):
    return subprocess.run(
        [sys.executable, "-c", "from mergerscope.cli import main; main()", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=120, check=False, **more,
    )  # fmt: skip


@pytest.fixture
def project(tmp_path):
    (tmp_path / "params.yaml").write_text("survey: {root: data}\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("arguments", [
    ["--help"], ["--version"], *([verb, "--help"] for verb in (*cli.STAGES, "search", "import-embeddings")),
])  # fmt: skip
def test_help_loads_nothing_heavy(arguments):
    code = f"""
import sys
from mergerscope.cli import main
try:
    main({arguments!r})
finally:
    print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"


def test_help_comes_at_once():
    times = []
    for _ in range(3):
        start = time.perf_counter()
        assert run("--help").returncode == 0
        times.append(time.perf_counter() - start)
    assert min(times) < 1, "usually a fifth of a second; the margin is for a busy machine"


def test_help_lists_every_verb_with_a_sentence():
    said = CliRunner().invoke(cli.cli, ["--help"]).output
    for verb in (*cli.STAGES, *AROUND):
        (line,) = [line for line in said.splitlines() if line.strip().startswith(f"{verb} ")]
        assert len(line.split()) > 3


@pytest.mark.parametrize("verb", [*cli.STAGES, *AROUND])
def test_every_verb_has_its_help(verb):
    result = CliRunner().invoke(cli.cli, [verb, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 4


def test_version():
    assert run("--version").stdout == f"mergerscope, version {__version__}\n"


def test_a_mistyped_verb_is_corrected():
    done = run("evalute")
    assert done.returncode == 2
    assert "Did you mean 'evaluate'?" in done.stderr


def test_an_unknown_verb_is_refused():
    done = run("xyzzy")
    assert done.returncode == 2
    assert "No such command 'xyzzy'" in done.stderr


def test_an_error_of_ours_is_a_message_and_a_code(project):
    (project / "params.yaml").write_text("train: {epoch: 3}\n", encoding="utf-8")
    done = run("catalog", cwd=project)
    assert done.returncode == 2
    assert done.stderr == "error: params.yaml: `train.epoch` is no parameter; did you mean `train.epochs`?\n"


def test_a_missing_survey_ends_with_its_code(project):
    done = run("catalog", cwd=project)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "data" in done.stderr


@pytest.mark.parametrize("error", [ContractError, GateError])
def test_codes_come_from_the_error(error, project, monkeypatch, capsys):
    def fail(paths, params):
        raise error("what is wrong")

    monkeypatch.chdir(project)
    monkeypatch.setattr(catalog, "run", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main(["catalog"])
    assert caught.value.code == error.exit_code
    assert capsys.readouterr().err == "error: what is wrong\n"


def test_a_bug_keeps_its_traceback(project, monkeypatch):
    def fail(paths, params):
        raise ZeroDivisionError

    monkeypatch.chdir(project)
    monkeypatch.setattr(catalog, "run", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main(["catalog"])


def test_a_stage_gets_the_nearest_project_and_its_settings(project, monkeypatch):
    (project / "params.yaml").write_text("train: {epochs: 3}\n", encoding="utf-8")
    below = project / "some" / "where"
    below.mkdir(parents=True)
    seen = {}
    monkeypatch.chdir(below)
    monkeypatch.setattr(catalog, "run", lambda paths, params: seen.update(root=paths.root, epochs=params.train.epochs))
    with pytest.raises(SystemExit) as caught:
        cli.main(["catalog"])
    assert caught.value.code == 0
    assert seen == {"root": project.resolve(), "epochs": 3}


def test_other_settings_can_be_named(project, monkeypatch):
    (project / "quick.yaml").write_text("train: {epochs: 1}\n", encoding="utf-8")
    seen = {}
    monkeypatch.chdir(project)
    monkeypatch.setattr(catalog, "run", lambda paths, params: seen.update(root=paths.root, epochs=params.train.epochs))
    with pytest.raises(SystemExit):
        cli.main(["--params", "quick.yaml", "catalog"])
    assert seen == {"root": project.resolve(), "epochs": 1}


def test_settings_that_are_not_there_are_named(project):
    done = run("--params", "nowhere.yaml", "catalog", cwd=project)
    assert done.returncode == 2
    assert "nowhere.yaml" in done.stderr


def test_ctrl_c_ends_quietly_with_130(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", "from mergerscope.cli import main; main()", "simulate", "--galaxies", "100000"],
        cwd=tmp_path, stderr=subprocess.PIPE, text=True,
        # A shell's background job ignores the signal, and would hand that down to here.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "data" / "images.zip.part").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted." in said
    assert "Traceback" not in said


def test_a_reader_that_leaves_early_is_no_error(project):
    reading, writing = os.pipe()
    os.close(reading)
    done = run_into(writing, "params", cwd=project)
    assert done.returncode == 1
    assert done.stderr == ""


def run_into(stdout, *arguments, cwd):
    try:
        return subprocess.run(
            [sys.executable, "-c", "from mergerscope.cli import main; main()", *arguments],
            cwd=cwd, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(stdout)


def test_params_explains_one_block_and_corrects_its_name(project):
    shown = run("params", "views", cwd=project)
    assert shown.returncode == 0
    assert "strength" in shown.stdout
    assert "epochs" not in shown.stdout
    wrong = run("params", "viwes", cwd=project)
    assert wrong.returncode == 2
    assert "did you mean `views`?" in wrong.stderr


def test_params_shows_what_stands_in_the_file_and_breaks_no_name(project):
    shown = run("params", "flux", cwd=project, env=os.environ | {"COLUMNS": "80"}).stdout
    assert all(name in shown.split() for name in ("missing_bands", "zero_point", "null"))
    (project / "params.yaml").write_text("shard: {size: 96}\n", encoding="utf-8")
    wide = os.environ | {"COLUMNS": "120"}
    assert "(default 64)" in " ".join(run("params", "shard.size", cwd=project, env=wide).stdout.split())


def test_help_tells_each_verb_in_a_whole_sentence(project):
    listed = run("--help", cwd=project).stdout.split("Commands:")[1]
    assert "..." not in listed
    assert "with a role for every galaxy and a list of what was refused." in " ".join(listed.split())


@pytest.mark.parametrize(("part", "there", "gone"), [
    ("views.strength", "Scales every", "crop"), ("objective.pairs", "pairs.weight", "temperature"),
])  # fmt: skip
def test_params_explains_one_setting(project, part, there, gone):
    shown = run("params", part, cwd=project)
    assert shown.returncode == 0
    assert there in shown.stdout
    assert gone not in shown.stdout


@pytest.mark.parametrize("part", ["strength", "views.strenght"])
def test_params_corrects_the_name_of_a_setting(project, part):
    wrong = run("params", part, cwd=project)
    assert wrong.returncode == 2
    assert "did you mean `views.strength`?" in wrong.stderr


def test_simulate_writes_a_survey_that_the_catalog_reads(project):
    asked = ["--galaxies", "40", "--seed", "1", "--size", "64", "--merger-fraction", "0.3", "--workers", "1"]
    assert run("simulate", *asked, cwd=project).returncode == 0
    assert sorted(path.name for path in (project / "data").iterdir()) == ["catalog.csv", "images.zip"]
    done = run("catalog", cwd=project)
    assert done.returncode == 0, done.stderr
    assert (project / "catalog.parquet").is_file()


def test_a_simulated_survey_of_fits_files_is_read_as_flux(project):
    asked = ["--galaxies", "12", "--seed", "1", "--size", "48", "--merger-fraction", "0.6", "--workers", "1"]
    assert run("simulate", *asked, "--format", "fits", cwd=project).returncode == 0
    done = run("catalog", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "in nanomaggies a pixel" in done.stderr
    (project / "params.yaml").write_text("shard: {size: 24}\n", encoding="utf-8")
    done = run("shard", cwd=project)
    assert done.returncode == 0, done.stderr
    manifest = Manifest.load(project / "shards/manifest.json")
    assert (manifest.total, manifest.dtype, manifest.unit) == (12, "float32", "nanomaggy")


def test_summary_reads_the_settings(project):
    (project / "params.yaml").write_text("views: {strenght: 1}", encoding="utf-8")
    wrong = run("summary", cwd=project)
    assert wrong.returncode == 2
    assert "did you mean `views.strength`?" in wrong.stderr


def test_every_stage_file_is_a_verb():
    files = {path.stem for path in Path(catalog.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == set(cli.STAGES)
