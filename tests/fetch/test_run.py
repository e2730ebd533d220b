"""A folder of cutouts is gone on with, can be checked, and is a survey."""

import csv
import hashlib
import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from mergerscope import __version__
from mergerscope.cli import cli
from mergerscope.errors import SurveyError
from mergerscope.fetch.ledger import alone_in
from mergerscope.fetch.request import Cutouts
from mergerscope.fetch.run import fetch
from mergerscope.params import SplitParams, SurveyParams, TargetParams
from mergerscope.survey.catalog import build_catalog


def write(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows(path):
    with path.open(newline="") as text:
        return list(csv.DictReader(text))


def test_the_request_is_the_documented_one(service, asked, pace, tmp_path):
    fetch(write(tmp_path / "t.csv", "id,ra,dec", "a,190.1086,-1.2005"), tmp_path / "out", asked, pace, 1)
    assert service.requests == [{
        "path": "/cutout.fits", "ra": "190.1086", "dec": "-1.2005", "layer": "ls-dr10", "pixscale": "0.262",
        "size": "24", "bands": "grz",
    }]  # fmt: skip
    (agent,) = service.agents
    assert agent.startswith(f"mergerscope/{__version__} ")


def test_the_table_is_carried_over(service, asked, pace, tmp_path):
    table = write(tmp_path / "t.csv", "RA,name,ID,Dec,p_merger", '1.50,"M 51, whirl",a,2,0.9', "3,,b,4,")
    fetch(table, tmp_path / "out", asked, pace, 2)
    there = [
        {"id": "a", "filename": "images/a.fits", "ra_deg": "1.5", "dec_deg": "2.0", "name": "M 51, whirl",
         "p_merger": "0.9"},
        {"id": "b", "filename": "images/b.fits", "ra_deg": "3.0", "dec_deg": "4.0", "name": "", "p_merger": ""},
    ]  # fmt: skip
    assert rows(tmp_path / "out" / "catalog.csv") == there
    assert rows(tmp_path / "out" / "failed.csv") == []


def test_bad_rows_are_refused_one_by_one(service, asked, pace, tmp_path):
    table = write(
        tmp_path / "t.csv", "id,ra,dec", "good,10,20", "far,400,0", "low,1,-91", "twice,1,1", "twice,1,2", "a/b,1,1",
        "a.b,1,1", "blank,,1", "text,north,1", "short,1", ",1,1",
    )  # fmt: skip
    done = fetch(table, tmp_path / "out", asked, pace, 2)
    assert (done.new, len(service.requests)) == (1, 1)
    assert done.failed == {
        "duplicate-id": 2, "position-out-of-range": 2, "empty-id": 1, "field-count": 1, "id-with-dot": 1,
        "id-with-slash": 1, "no-position": 1, "position-not-a-number": 1,
    }  # fmt: skip
    failed = {row["id"]: row for row in rows(tmp_path / "out" / "failed.csv")}
    assert failed["far"]["ra_deg"] == "400"
    assert "t.csv:3" in failed["far"]["detail"]


def test_what_is_there_and_whole_is_not_fetched_again(service, asked, pace, tmp_path):
    table = write(tmp_path / "t.csv", "id,ra,dec", "a,1,1", "b,2,1", "c,3,1", "d,4,1")
    out = tmp_path / "out"
    fetch(table, out, asked, pace, 2)
    before = (out / "catalog.csv").read_bytes(), (out / "manifest.csv").read_bytes()
    (out / "images" / "b.fits").unlink()
    (out / "images" / "c.fits").write_bytes((out / "images" / "c.fits").read_bytes()[:-1] + b"x")
    service.requests.clear()
    done = fetch(table, out, asked, pace, 2)
    assert (done.new, done.there) == (2, 2)
    assert service.asked() == {"2.0": 1, "3.0": 1}
    assert ((out / "catalog.csv").read_bytes(), (out / "manifest.csv").read_bytes()) == before


def test_every_file_has_its_checksum(service, asked, pace, tmp_path):
    fetch(write(tmp_path / "t.csv", "id,ra,dec", "a,1,1", "b,2,1"), tmp_path / "out", asked, pace, 2)
    for row in rows(tmp_path / "out" / "manifest.csv"):
        data = (tmp_path / "out" / "images" / f"{row['id']}.fits").read_bytes()
        assert (int(row["bytes"]), row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_a_galaxy_that_has_moved_is_fetched_anew(service, asked, pace, tmp_path):
    out = tmp_path / "out"
    fetch(write(tmp_path / "t.csv", "id,ra,dec", "a,1,1", "b,2,1"), out, asked, pace, 1)
    service.always["7.0"] = service.status(404)
    done = fetch(write(tmp_path / "t.csv", "id,ra,dec", "a,7,1", "b,8,1"), out, asked, pace, 1)
    assert (done.new, done.there, done.failed) == (1, 0, {"http-404": 1})
    assert [row["ra_deg"] for row in rows(out / "catalog.csv")] == ["8.0"]
    assert [path.name for path in (out / "images").iterdir()] == ["b.fits"]


def test_failures_are_a_table_to_try_again(service, asked, pace, tmp_path):
    out = tmp_path / "out"
    service.always |= {"2.0": service.status(404), "3.0": service.status(500), "4.0": service.body(b"")}
    table = write(tmp_path / "t.csv", "id,ra,dec,vote", "a,1,1,0.1", "b,2,1,0.2", "c,3,1,0.3", "d,4,1,0.4", "e,500,1,1")
    fetch(table, out, asked, pace, 2)
    assert [row["id"] for row in rows(out / "failed.csv")] == ["b", "c", "d", "e"]
    service.always = {"2.0": service.status(404)}
    service.requests.clear()
    done = fetch(out / "failed.csv", out, asked, pace, 2)
    assert (done.new, done.failed) == (2, {"http-404": 1, "position-out-of-range": 1})
    assert service.asked() == {"2.0": 1, "3.0": 1, "4.0": 1}
    assert [(row["id"], row["vote"]) for row in rows(out / "catalog.csv")] == [("a", "0.1"), ("c", "0.3"), ("d", "0.4")]
    assert [(row["id"], row["vote"], row["reason"]) for row in rows(out / "failed.csv")] == [
        ("b", "0.2", "http-404"), ("e", "1", "position-out-of-range"),
    ]  # fmt: skip


def test_a_second_table_adds_to_the_first(service, asked, pace, tmp_path):
    out = tmp_path / "out"
    fetch(write(tmp_path / "t.csv", "id,ra,dec,vote", "a,1,1,0.1"), out, asked, pace, 1)
    fetch(write(tmp_path / "u.csv", "id,ra,dec,z", "b,2,1,0.7"), out, asked, pace, 1)
    both = [(row["id"], row["vote"], row["z"]) for row in rows(out / "catalog.csv")]
    assert both == [("a", "0.1", ""), ("b", "", "0.7")]


def test_other_cutouts_do_not_mix(service, asked, pace, tmp_path):
    table = write(tmp_path / "t.csv", "id,ra,dec", "a,1,1")
    fetch(table, tmp_path / "out", asked, pace, 1)
    other = Cutouts("ls-dr9", "grz", 24, 0.262, "fits", "http://mirror.invalid")
    with pytest.raises(SurveyError, match=r"holds other cutouts: layer 'ls-dr10', asked for 'ls-dr9'\. Give another"):
        fetch(table, tmp_path / "out", other, pace, 1)


def test_two_runs_do_not_share_a_folder(service, asked, pace, tmp_path):
    with alone_in(tmp_path / "out"), pytest.raises(SurveyError, match="another `mergerscope fetch` is at work"):
        fetch(write(tmp_path / "t.csv", "id,ra,dec", "a,1,1"), tmp_path / "out", asked, pace, 1)


def test_a_torn_line_of_the_manifest_is_none(service, asked, pace, tmp_path):
    table = write(tmp_path / "t.csv", "id,ra,dec", "a,1,1", "b,2,1")
    out = tmp_path / "out"
    fetch(table, out, asked, pace, 1)
    manifest = out / "manifest.csv"
    manifest.write_bytes(manifest.read_bytes()[:-20])
    (out / "images" / "c.fits.new").write_bytes(b"half")
    done = fetch(table, out, asked, pace, 1)
    assert (done.new, done.there) == (1, 1)
    assert len(list((out / "images").iterdir())) == 2


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_ended_run_is_gone_on_with(how, service, asked, pace, tmp_path):
    table = write(tmp_path / "t.csv", "id,ra,dec", *(f"g{i},{i},1" for i in range(40)))
    out = tmp_path / "out"
    command = [sys.executable, "-c", "from mergerscope.cli import main; main()", "fetch", "--catalog", str(table),
               "--out", str(out), "--server", service.url, "--size", "24", "--rate", "3"]  # fmt: skip
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True,
        # Where the tests themselves run in the background, a shell lets them ignore Ctrl-C, and so their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while len(service.requests) < 8 and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, how)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL), said
    if how == signal.SIGINT:
        assert said.endswith("Interrupted.\n")
        there, missing = rows(out / "catalog.csv"), rows(out / "failed.csv")
        assert len(there) >= 4
        assert len(there) + len(missing) == 40
        assert {row["reason"] for row in missing} == {"not-tried"}
        assert len(list((out / "images").iterdir())) == len(there)
    came = len(list((out / "images").glob("*.fits")))
    service.requests.clear()
    done = fetch(table, out, asked, pace, 4)
    assert done.new + done.there == 40
    # At a kill, each of the four workers may have a file that is not yet in the manifest.
    assert came - 4 <= done.there <= came
    assert len(service.requests) == done.new


def test_the_folder_is_a_survey(service, pace, tmp_path):
    jpegs = Cutouts("sdss", "gri", 24, 0.396, "jpg", service.url)
    service.always["3.0"] = service.status(404)
    table = write(tmp_path / "t.csv", "id,ra,dec,p_merger", "a,1,1,0.9", "b,2,-1,0.1", "c,3,1,0.2")
    fetch(table, tmp_path / "out", jpegs, pace, 2)
    target = TargetParams(column="p_merger")
    built = build_catalog(tmp_path / "out", SurveyParams(), target, SplitParams(), max_refused=0.0)
    assert built.table["id"].to_pylist() == ["a", "b"]
    assert built.table["ra_deg"].to_pylist() == [1.0, 2.0]
    assert built.table["p_merger"].to_pylist() == [0.9, 0.1]


def test_the_verb(service, tmp_path):
    table = write(tmp_path / "t.csv", "id,ra,dec", "a,1,1", "b,500,1")
    options = ["--catalog", str(table), "--out", str(tmp_path / "out"), "--server", service.url, "--size", "24"]
    result = CliRunner().invoke(cli, ["fetch", *options])
    assert result.exit_code == 0, result.output
    assert "1 fetched, 0 were there, 1 failed" in result.output
    assert "  1 x position-out-of-range" in result.output
    assert f"--catalog {tmp_path / 'out' / 'failed.csv'}" in result.output


@pytest.mark.parametrize(("wrong", "said"), [
    ({"bands": "grzz"}, "--bands"), ({"bands": ""}, "--bands"), ({"size": 5000}, "--size"),
    ({"server": "ftp://x"}, "--server"),
])  # fmt: skip
def test_a_request_that_the_service_would_change_is_refused(wrong, said):
    with pytest.raises(SurveyError, match=said):
        Cutouts(**({"layer": "ls-dr10", "bands": "grz", "size": 152, "pixscale": 0.262} | wrong))
