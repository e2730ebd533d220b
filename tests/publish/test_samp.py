"""The verb `samp` against astropy's own hub and a receiver that stands in for TOPCAT; nothing leaves this machine."""

from __future__ import annotations

import time
import warnings
from urllib.parse import unquote, urlsplit

import pytest
from astropy.table import Table

from mergerscope.errors import MissingInputError, SampError, TableError
from mergerscope.publish import samp as module
from mergerscope.publish.samp import run

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from astropy.samp import SAMPHubServer, SAMPIntegratedClient, conf

OK = {"samp.status": "samp.ok", "samp.result": {}}


class Receiver:
    """A program at the hub that loads what it is told to and remembers it."""

    def __init__(self, hub, name, *mtypes, answer=None):
        self.heard = []
        self.answer = answer or OK
        self.hub = hub
        self.client = SAMPIntegratedClient(name=name, addr="127.0.0.1")
        self.client.connect(hub=hub, pool_size=2)
        for mtype in mtypes:
            self.client.bind_receive_call(mtype, self.receive)

    def receive(self, private_key, sender_id, msg_id, mtype, params, extra):
        self.heard.append((mtype, params))
        # astropy's hub loses an answer that comes before it has noted down that it waits for one.
        end = time.monotonic() + 60
        while msg_id not in self.hub._sync_msg_ids_heap and time.monotonic() < end:
            time.sleep(0.001)
        self.client.reply(msg_id, self.answer)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Keep astropy from asking for the internet, and from the hub of whoever runs the tests."""
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{(tmp_path / 'samp.lock').as_uri()}")
    with conf.set_temp("use_internet", False):
        yield tmp_path / "samp.lock"


@pytest.fixture
def hub(offline):
    server = SAMPHubServer(web_profile=False, lockfile=str(offline), addr="127.0.0.1", pool_size=4)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def receiver(hub):
    made = []

    def make(*arguments, **options):
        made.append(Receiver(hub, *arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.client.disconnect()


@pytest.fixture
def ranked(project):
    project.rank()
    return project.paths


def test_a_table_comes_to_every_program_that_takes_it(ranked, receiver):
    topcat, aladin = (receiver(name, "table.load.votable") for name in ("topcat", "Aladin"))
    other = receiver("ds9", "image.load.fits")
    told = run(ranked, None, None, point=False)
    assert sorted(line.split(" -> ")[1] for line in told) == ["Aladin", "topcat"]
    assert other.heard == []
    for one in (topcat, aladin):
        ((mtype, params),) = one.heard
        assert mtype == "table.load.votable"
        assert params["name"] == "top"
        table = Table.read(unquote(urlsplit(params["url"]).path), format="votable")
        assert table["rank"].tolist() == list(range(1, 11))


def test_one_program_can_be_chosen_and_pointed_at_the_first_galaxy(ranked, receiver):
    topcat = receiver("topcat", "table.load.votable")
    aladin = receiver("Aladin", "table.load.votable", "coord.pointAt.sky")
    told = run(ranked, None, "aladin", point=True)
    assert len(told) == 2
    assert topcat.heard == []
    first = Table.read(ranked.rank_results / "top.vot", format="votable")[0]
    (_, (mtype, params)) = aladin.heard
    assert mtype == "coord.pointAt.sky"
    assert float(params["ra"]) == pytest.approx(first["ra_deg"], abs=1e-6)
    assert float(params["dec"]) == pytest.approx(first["dec_deg"], abs=1e-6)
    assert run(ranked, None, "topcat", point=True)[-1] == "no receiver can be pointed at the sky"


def test_a_warning_is_passed_on(ranked, receiver):
    warned = {"samp.status": "samp.warning", "samp.result": {}, "samp.error": {"samp.errortxt": "one column lost"}}
    receiver("topcat", "table.load.votable", answer=warned)
    assert run(ranked, None, None, point=False)[0].endswith("-> topcat (with a warning: one column lost)")


def test_a_fits_table_goes_as_such(ranked, receiver):
    topcat = receiver("topcat", "table.load.fits")
    run(ranked, ranked.rank_results / "candidates.fits", None, point=False)
    assert topcat.heard[0][0] == "table.load.fits"


def test_no_hub(ranked, offline):
    with pytest.raises(SampError, match=r"no SAMP hub answers.*Start TOPCAT or Aladin"):
        run(ranked, None, None, point=False)


def test_a_hub_that_has_died(ranked, offline):
    offline.write_text("samp.secret=x\nsamp.hub.xmlrpc.url=http://127.0.0.1:9/\nsamp.profile.version=1.3\n")
    with pytest.raises(SampError, match="no SAMP hub answers"):
        run(ranked, None, None, point=False)


def test_nobody_who_takes_it_is_at_the_hub(ranked, receiver):
    receiver("ds9", "image.load.fits")
    with pytest.raises(SampError, match=r"no program at the SAMP hub takes table.load.votable; at the hub: .*ds9"):
        run(ranked, None, None, point=False)
    with pytest.raises(SampError, match="no program called 'topcat'"):
        run(ranked, None, "topcat", point=False)


def test_a_program_that_fails_and_one_that_is_silent(ranked, receiver, monkeypatch):
    failed = {"samp.status": "samp.error", "samp.result": {}, "samp.error": {"samp.errortxt": "out of memory"}}
    receiver("topcat", "table.load.votable", answer=failed)
    with pytest.raises(SampError, match=r"topcat has not done table\.load.votable: out of memory"):
        run(ranked, None, None, point=False)
    silent = receiver("aladin")
    silent.client.bind_receive_call("table.load.votable", lambda *arguments: None)
    monkeypatch.setattr(module, "TIMEOUT_S", "1")
    with pytest.raises(SampError, match=r"aladin has not answered to table\.load\.votable within 1 s"):
        run(ranked, None, "aladin", point=False)


def test_what_is_no_table_to_send(ranked, project, tmp_path):
    with pytest.raises(TableError, match="is CSV; by SAMP go VOTable and FITS"):
        run(ranked, ranked.rank_results / "candidates.csv", None, point=False)
    with pytest.raises(TableError, match="there is no file"):
        run(ranked, tmp_path / "none.vot", None, point=False)
    (ranked.rank_results / "top.vot").unlink()
    with pytest.raises(MissingInputError, match="mergerscope rank"):
        run(ranked, None, None, point=False)
