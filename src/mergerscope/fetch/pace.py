"""How fast to ask: a rate that all workers share, and longer and longer waits after failures."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["Pace", "RateLimit", "parse_retry_after"]


@dataclass(frozen=True, slots=True)
class Pace:
    """Times of one run; tests scale them down."""

    rate: float
    """Requests a second, of all workers together, attempts counted."""
    retries: int
    """Further attempts after the first."""
    timeout_s: float
    """For the connection, and for each pause in an answer; a whole answer may take `ANSWER` times as long."""
    first_wait_s: float = 1.0
    """Before the second attempt; doubled before each further one."""
    longest_wait_s: float = 60.0
    retry_after_cap_s: float = 600.0
    """Longest wait that a server's ``Retry-After`` is granted."""

    def wait_s(self, failures: int, retry_after_s: float | None, draw: float) -> float:
        """Return the seconds to wait after a number of failures in a row, at least 1.

        Half of the exponential wait is fixed and half is drawn, so that workers that failed together do not come
        back together. A ``Retry-After`` is a lower bound, up to its cap.

        Args:
            failures: attempts that failed.
            retry_after_s: what the server asked for, or None.
            draw: uniform in 0...1.
        """
        # Beyond 2**60 the power overflows, and the longest wait has long been reached.
        full = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(failures - 1, 60))
        asked = 0.0 if retry_after_s is None else min(retry_after_s, self.retry_after_cap_s)
        return max(full * (1 + draw) / 2, asked)


class RateLimit:
    """One queue of moments at which a request may start, for all workers."""

    def __init__(self, pace: Pace, stop: threading.Event) -> None:
        """Take the rate from ``pace``; waits end at once when ``stop`` is set."""
        self._pace = pace
        self._stop = stop
        self._lock = threading.Lock()
        self._next = time.monotonic()
        self._random = random.Random()  # not seeded: two runs at once should not keep step

    def wait_turn(self) -> bool:
        """Wait until a request may start; False where the run is to end instead."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + 1 / self._pace.rate
        return self._sleep_until(turn)

    def back_off(self, failures: int, retry_after_s: float | None) -> bool:
        """Wait after a failure; a server's ``Retry-After`` holds all workers back, not this one alone."""
        now = time.monotonic()
        if retry_after_s is not None:
            with self._lock:
                self._next = max(self._next, now + min(retry_after_s, self._pace.retry_after_cap_s))
        return self._sleep_until(now + self._pace.wait_s(failures, retry_after_s, self._random.random()))

    def _sleep_until(self, moment: float) -> bool:
        return not self._stop.wait(max(0.0, moment - time.monotonic()))


def parse_retry_after(text: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, given as seconds or as a date (RFC 9110, 10.2.3).

    A date that has passed is 0; None is returned for what is neither.
    """
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
