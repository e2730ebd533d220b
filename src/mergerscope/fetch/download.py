"""One galaxy's cutout over HTTP: asked for, asked again where that may help, checked."""

from __future__ import annotations

import threading
import time

import requests

from mergerscope import __version__
from mergerscope.fetch.check import check_cutout
from mergerscope.fetch.pace import Pace, RateLimit, parse_retry_after
from mergerscope.fetch.request import Cutouts
from mergerscope.fetch.trouble import NOT_TRIED, FetchError

__all__ = ["USER_AGENT", "Downloader"]

USER_AGENT = f"mergerscope/{__version__} (cutouts of galaxies; {requests.utils.default_user_agent()})"

CHUNK = 1 << 16
ANSWER = 10
"""A whole answer may take so many times as long as one pause in it."""

REDIRECTS = 3
"""Followed for one attempt, also to another host; each is a request beside the rate, and a loop is no answer."""

TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which another attempt may end better (RFC 9110; 425 is RFC 8470, 429 is RFC 6585)."""


class Downloader:
    """Asks the service for cutouts; each worker has one, and they share the rate."""

    def __init__(self, asked: Cutouts, pace: Pace, limit: RateLimit, stop: threading.Event) -> None:
        """Open a session that keeps its connection; proxies of the environment are used."""
        self._asked = asked
        self._pace = pace
        self._limit = limit
        self._stop = stop
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT
        self._session.max_redirects = REDIRECTS

    def fetch(self, ra_deg: float, dec_deg: float) -> bytes:
        """Return the cutout's file.

        Raises:
            FetchError: of the last attempt; ``not-tried`` where the run ended before there was one.
        """
        url = self._asked.url(ra_deg, dec_deg)
        last = FetchError(NOT_TRIED, "the run was ended before", again=True)
        for failures in range(1, self._pace.retries + 2):
            if not self._limit.wait_turn():
                break
            try:
                data = self._attempt(url)
                check_cutout(data, self._asked)
            except FetchError as error:
                last = error
                if not error.again or failures > self._pace.retries:
                    break
                if not self._limit.back_off(failures, error.wait_s):
                    break
            else:
                return data
        raise last

    def _attempt(self, url: str) -> bytes:
        silence = self._pace.timeout_s
        deadline = time.monotonic() + ANSWER * silence
        try:
            with self._session.get(url, stream=True, timeout=silence) as answer:
                if answer.status_code != requests.codes.ok:
                    raise _status_error(answer)
                return self._body(answer, deadline)
        except requests.Timeout as error:
            raise FetchError("timeout", f"no answer within {silence:g} s: {_plain(error)}", again=True) from None
        except requests.RequestException as error:
            # A pause within the body is told by requests as a broken connection.
            reason = "timeout" if "timed out" in str(error) else "connection"
            raise FetchError(reason, _plain(error), again=True) from None

    def _body(self, answer: requests.Response, deadline: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        try:
            for part in answer.iter_content(CHUNK):
                parts.append(part)
                size += len(part)
                if size > self._asked.max_bytes:
                    raise FetchError("too-large", f"more than {self._asked.max_bytes} bytes", again=False)
                if time.monotonic() > deadline:
                    raise FetchError("timeout", f"only {size} bytes when time was up", again=True)
                if self._stop.is_set():
                    raise FetchError(NOT_TRIED, "the run was ended in the middle", again=True)
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
            raise FetchError("cut-off", f"after {size} bytes: {_plain(error)}", again=True) from None
        return b"".join(parts)


def _status_error(answer: requests.Response) -> FetchError:
    status = answer.status_code
    return FetchError(
        f"http-{status}", f"the server answered {status} {answer.reason}", again=status in TEMPORARY,
        wait_s=parse_retry_after(answer.headers.get("Retry-After")),
    )  # fmt: skip


def _plain(error: Exception) -> str:
    """Return the cause within a network error, whole; addresses of Python objects around it change by the run."""
    inner: BaseException = error
    while inner.args and isinstance(inner.args[0], BaseException):
        inner = inner.args[0]
    return f"{type(inner).__name__}: {str(getattr(inner, 'reason', None) or inner)!a}"
