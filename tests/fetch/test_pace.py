"""Waits: longer and longer, drawn, bounded, and what a server asks for."""

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.fetch.pace import Pace, RateLimit, parse_retry_after

seconds = st.floats(1e-3, 1e4)
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@given(first=seconds, longest=seconds, failures=st.integers(1, 10_000), draw=st.floats(0, 1))
def test_a_wait_lies_between_half_and_the_whole_of_the_exponential(first, longest, failures, draw):
    pace = Pace(1, 5, 1, first, longest)
    full = min(longest, first * 2.0 ** min(failures - 1, 1000))
    assert full / 2 <= pace.wait_s(failures, None, draw) <= full


@given(failures=st.integers(1, 100), draw=st.floats(0, 1))
def test_waits_never_become_shorter_from_one_failure_to_the_next(failures, draw):
    pace = Pace(1, 5, 1)
    assert pace.wait_s(failures, None, draw) <= pace.wait_s(failures + 1, None, draw)


@given(failures=st.integers(1, 50), draw=st.floats(0, 1), asked=st.floats(0, 1e9))
def test_a_server_is_waited_for_as_long_as_it_asks_up_to_a_cap(failures, draw, asked):
    pace = Pace(1, 5, 1)
    wait = pace.wait_s(failures, asked, draw)
    assert wait >= min(asked, pace.retry_after_cap_s)
    assert wait <= max(pace.retry_after_cap_s, pace.longest_wait_s)


def test_draws_keep_workers_apart():
    pace = Pace(1, 5, 1)
    assert pace.wait_s(3, None, 0.0) == 2
    assert pace.wait_s(3, None, 1.0) == 4


@given(st.integers(0, 10**8))
def test_retry_after_in_seconds(asked):
    assert parse_retry_after(f" {asked} ") == asked


@given(st.integers(-(10**6), 10**6))
def test_retry_after_as_a_date(offset):
    date = format_datetime(NOW + timedelta(seconds=offset), usegmt=True)
    assert parse_retry_after(date, NOW) == max(0, offset)


@given(st.text())
def test_any_other_retry_after_is_none_or_a_wait(text):
    wait = parse_retry_after(text, NOW)
    assert wait is None or wait >= 0


@pytest.mark.parametrize("text", [None, "", "soon", "-5", "1.5.2", "Sun, 99 Foo 2026 25:00:00 GMT"])
def test_what_is_no_retry_after(text):
    assert parse_retry_after(text, NOW) is None


def test_all_workers_share_the_rate():
    limit = RateLimit(Pace(rate=50, retries=0, timeout_s=1), threading.Event())
    start = time.monotonic()
    crew = [threading.Thread(target=lambda: [limit.wait_turn() for _ in range(5)]) for _ in range(4)]
    for worker in crew:
        worker.start()
    for worker in crew:
        worker.join()
    assert time.monotonic() - start >= 19 / 50


def test_a_server_that_asks_for_quiet_gets_it_from_all_workers():
    limit = RateLimit(Pace(rate=1000, retries=0, timeout_s=1, retry_after_cap_s=0.3), threading.Event())
    start = time.monotonic()
    threading.Thread(target=limit.back_off, args=(1, 60.0)).start()
    while limit._next <= start + 0.2:
        time.sleep(0.001)
    limit.wait_turn()
    assert time.monotonic() - start >= 0.3


def test_a_wait_ends_with_the_run():
    stop = threading.Event()
    limit = RateLimit(Pace(rate=1, retries=0, timeout_s=1), stop)
    stop.set()
    start = time.monotonic()
    assert not limit.back_off(1, 500.0)
    assert not limit.wait_turn()
    assert time.monotonic() - start < 60
