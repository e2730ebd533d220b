"""Every way in which a service misbehaves costs one galaxy, and a passing trouble not even that."""

import csv
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import pytest
from astropy.io import fits

from mergerscope.errors import SurveyError
from mergerscope.fetch.request import Cutouts
from mergerscope.fetch.run import GIVE_UP_AFTER, fetch

PAGE = b"<!DOCTYPE html><html><body>Be right back</body></html>"
BAD = "20.5"
"""The position at which the service misbehaves, among three."""


def positions(tmp_path, *ra):
    path = tmp_path / "positions.csv"
    path.write_text("id,ra,dec\n" + "".join(f"g{i},{value},1\n" for i, value in enumerate(ra)), encoding="utf-8")
    return path


def rows(path):
    with path.open(newline="") as text:
        return list(csv.DictReader(text))


def nan_cutout(service, request):
    return service.written(fits.PrimaryHDU(np.full((3, 24, 24), np.nan, np.float32)))


def flat_cutout(service, request):
    return service.written(fits.PrimaryHDU(np.zeros((3, 24, 24), np.float32)))


def no_overlap(service, request):
    hdu = fits.PrimaryHDU()
    hdu.header["OVERLAP"] = False
    return service.written(hdu)


REQUEST = {"ra": BAD, "bands": "grz", "size": "24"}

FOR_GOOD = {
    "http-404": lambda service: service.status(404),
    "http-400": lambda service: service.status(400),
    "wrong-bands": lambda service: service.body(service.fits(REQUEST, bands="griz")),
    "wrong-size": lambda service: service.body(service.fits(REQUEST, size=20)),
    "no-coverage": lambda service: service.body(flat_cutout(service, REQUEST)),
    "no-coverage ": lambda service: service.body(nan_cutout(service, REQUEST)),
    "no-coverage  ": lambda service: service.body(no_overlap(service, REQUEST)),
    "too-large": lambda service: service.body(b"SIMPLE  =" + b" " * 2**21),
}
"""After which nothing is asked again."""

PASSING = {
    "http-429": lambda service: service.status(429),
    "http-500": lambda service: service.status(500),
    "http-503": lambda service: service.status(503),
    "not-fits": lambda service: service.body(PAGE),
    "empty": lambda service: service.body(b""),
    "cut-off": lambda service: service.shorter_than_it_says,
    "corrupt-image": lambda service: service.half_of_the_file,
    "truncated": lambda service: service.body(service.fits(REQUEST)[:-100]),
    "corrupt-image ": lambda service: service.body(b"SIMPLE  =" + b"\x00" * (2880 - 9)),
    "connection": lambda service: service.hang_up,
}
"""That may be gone at the next attempt."""


@pytest.mark.parametrize("reason", [*FOR_GOOD, *PASSING])
def test_a_trouble_costs_its_galaxy_alone(reason, service, asked, pace, tmp_path):
    service.always[BAD] = (FOR_GOOD | PASSING)[reason](service)
    done = fetch(positions(tmp_path, 10.5, BAD, 30.5), tmp_path / "out", asked, pace, 2)
    assert (done.new, done.failed) == (2, {reason.strip(): 1})
    assert {row["id"] for row in rows(tmp_path / "out" / "catalog.csv")} == {"g0", "g2"}
    (lost,) = rows(tmp_path / "out" / "failed.csv")
    assert (lost["id"], lost["ra_deg"], lost["reason"]) == ("g1", BAD, reason.strip())
    assert lost["detail"]
    assert sorted(path.name for path in (tmp_path / "out" / "images").iterdir()) == ["g0.fits", "g2.fits"]
    assert service.asked()[BAD] == (1 if reason in FOR_GOOD else 1 + pace.retries)


@pytest.mark.parametrize("reason", PASSING)
def test_a_passing_trouble_costs_nothing(reason, service, asked, pace, tmp_path):
    service.plans[BAD] = [PASSING[reason](service)] * 2
    done = fetch(positions(tmp_path, BAD), tmp_path / "out", asked, pace, 1)
    assert (done.new, done.failed) == (1, {})
    assert service.asked()[BAD] == 3


@pytest.mark.parametrize("trouble", ["silence", "silence_in_the_middle"])
def test_a_server_that_says_nothing_is_not_waited_for(trouble, service, asked, pace, tmp_path):
    service.plans["10.5"] = [getattr(service, trouble)]
    service.always[BAD] = getattr(service, trouble)
    brief = replace(pace, timeout_s=0.3, retries=1)
    done = fetch(positions(tmp_path, 10.5, BAD), tmp_path / "out", asked, brief, 2)
    assert (done.new, done.failed) == (1, {"timeout": 1})


def test_a_redirect_is_followed_and_a_loop_of_them_soon_left(service, asked, pace, tmp_path):
    service.plans["10.5"] = [service.status(302, Location=f"{service.url}/moved.fits?ra=11&size=24&bands=grz")]
    service.always[BAD] = service.status(302, Location=f"{service.url}/cutout.fits?ra={BAD}")
    done = fetch(positions(tmp_path, 10.5, BAD), tmp_path / "out", asked, pace, 2)
    assert (done.new, done.failed) == (1, {"connection": 1})
    assert service.asked()[BAD] <= 4 * (1 + pace.retries)


def test_nobody_at_the_address(service, asked, pace, tmp_path):
    with pytest.raises(SurveyError, match=r"not one galaxy could be fetched.* 2 x connection"):
        fetch(positions(tmp_path, 1, 2), tmp_path / "out", replace(asked, server="http://127.0.0.1:9"), pace, 2)
    lost = rows(tmp_path / "out" / "failed.csv")
    assert len(lost) == 2
    assert all("Connection refused" in row["detail"] for row in lost), "it stands at the end of what is told"


def test_the_page_that_came_instead_is_told_as_far_as_its_title(service, asked, pace, tmp_path):
    title = "We are sorry, the cutout service is being moved to another machine until Monday the 12th at noon UTC"
    service.always[BAD] = service.body(f"<!DOCTYPE html><html><head><title>{title}</title></head>".encode())
    fetch(positions(tmp_path, 10.5, BAD), tmp_path / "out", asked, pace, 2)
    (lost,) = rows(tmp_path / "out" / "failed.csv")
    assert title in lost["detail"]


def test_a_server_that_is_down_is_left_alone_and_nothing_is_lost(service, asked, pace, tmp_path):
    service.usual = service.status(503)
    table = positions(tmp_path, *range(GIVE_UP_AFTER + 30))
    with pytest.raises(SurveyError, match=r"in a row failed, the last with http-503.*goes on from here"):
        fetch(table, tmp_path / "out", asked, replace(pace, retries=0), 1)
    assert len(service.requests) < GIVE_UP_AFTER + 5
    reasons = [row["reason"] for row in rows(tmp_path / "out" / "failed.csv")]
    assert reasons[:GIVE_UP_AFTER] == ["http-503"] * GIVE_UP_AFTER
    assert "not-tried" in reasons
    assert len(reasons) == GIVE_UP_AFTER + 30


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_honoured(form, service, asked, pace, tmp_path):
    # A date has whole seconds, so two of them are at least one from now.
    after = "1" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    service.plans[BAD] = [service.status(429, Retry_After=after)]
    start = time.monotonic()
    fetch(positions(tmp_path, BAD), tmp_path / "out", asked, replace(pace, retry_after_cap_s=30), 1)
    assert service.times[1] - service.times[0] >= 0.9
    assert time.monotonic() - start < 30


def test_retry_after_has_a_cap(service, asked, pace, tmp_path):
    service.plans[BAD] = [service.status(503, Retry_After="86400")]
    start = time.monotonic()
    assert fetch(positions(tmp_path, BAD), tmp_path / "out", asked, pace, 1).new == 1
    assert time.monotonic() - start < 60


def test_jpegs_are_checked_as_well(service, pace, tmp_path):
    jpegs = Cutouts("sdss", "gri", 24, 0.396, "jpg", service.url)
    picture = service.jpeg({"ra": "1", "size": "24"})
    service.always |= {
        "2.5": service.body(PAGE), "3.5": service.body(picture[:-200]), "4.5": service.body(service.fits(REQUEST)),
        "5.5": service.body(service.jpeg({"ra": "1", "size": "16"})),
    }  # fmt: skip
    done = fetch(positions(tmp_path, 1.5, 2.5, 3.5, 4.5, 5.5), tmp_path / "out", jpegs, pace, 2)
    assert done.new == 1
    assert done.failed == {"not-jpeg": 2, "truncated": 1, "wrong-size": 1}


def test_the_disk_is_full(service, asked, pace, tmp_path, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        fetch(positions(tmp_path, 1, 2, 3), tmp_path / "out", asked, pace, 2)
