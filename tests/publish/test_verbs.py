"""The verbs as they are typed."""

from __future__ import annotations

import subprocess
import sys

from click.testing import CliRunner

from mergerscope import cli


def run(project, *arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", "from mergerscope.cli import main; main()", *map(str, arguments)],
        cwd=project.paths.root, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def test_rank_keeps_the_words_of_its_stage_and_tells_of_the_options():
    said = CliRunner().invoke(cli.cli, ["rank", "--help"]).output
    for words in ("Order every galaxy by its likeness", "duplicate_of", "With --crossmatch", "--radius", "3arcsec"):
        assert words in said
    listed = CliRunner().invoke(cli.cli, ["--help"]).output
    assert sum(line.startswith("  rank ") for line in listed.splitlines()) == 1


def test_rank_with_a_list_matches_a_current_ranking_without_a_model(project, tmp_path):
    """No MLflow store is here, so that the stage itself could not run."""
    project.rank()
    done = run(project, "rank", "--crossmatch", project.paths.rank_results / "top.vot", "--radius", "1arcsec")
    assert (done.returncode, done.stderr) == (0, "")
    assert "10 matched within 1 arcsec" in done.stdout
    assert (project.paths.crossmatch_results / "matched.vot").is_file()


def test_troubles_end_with_their_codes(project):
    done = run(project, "rank", "--crossmatch", "none.csv")
    assert (done.returncode, "none.csv" in done.stderr) == (11, True)
    assert run(project, "rank", "--crossmatch", "none.csv", "--radius", "3").returncode == 2
    done = run(project, "samp")
    assert (done.returncode, "mergerscope rank" in done.stderr) == (4, True)
