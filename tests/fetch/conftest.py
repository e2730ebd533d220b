"""A cutout service on this machine that misbehaves as it is told to, in earnest: over HTTP, with real files."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from mergerscope.fetch.pace import Pace
from mergerscope.fetch.request import Cutouts

SIZE = 24

Act = Callable[[BaseHTTPRequestHandler, dict[str, str]], None]


def fits_cutout(asked: dict[str, str], bands: str | None = None, size: int | None = None) -> bytes:
    """A file as the service writes it: float32 planes, the bands in the header."""
    bands, size = bands or asked["bands"], size or int(asked["size"])
    noise = np.random.default_rng(int(float(asked["ra"]) * 1000)).normal(0, 0.01, (len(bands), size, size))
    hdu = fits.PrimaryHDU(noise.astype(np.float32) if len(bands) > 1 else noise[0].astype(np.float32))
    hdu.header["BANDS"] = bands
    for number, band in enumerate(bands):
        hdu.header[f"BAND{number}"] = band
    return written(hdu)


def written(hdu: fits.PrimaryHDU) -> bytes:
    stream = io.BytesIO()
    hdu.writeto(stream)
    return stream.getvalue()


def jpeg_cutout(asked: dict[str, str], size: int | None = None) -> bytes:
    size = size or int(asked["size"])
    pixels = np.random.default_rng(int(float(asked["ra"]) * 1000)).integers(0, 255, (size, size, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


def send(handler: BaseHTTPRequestHandler, data: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    length = headers.pop("length", str(len(data)))
    handler.send_header("Content-Length", length)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(data)


def good(handler: BaseHTTPRequestHandler, asked: dict[str, str]) -> None:
    send(handler, fits_cutout(asked) if asked["path"].endswith(".fits") else jpeg_cutout(asked))


def status(code: int, **headers: str) -> Act:
    return lambda handler, asked: send(handler, b"no", code, **headers)


def body(data: bytes) -> Act:
    return lambda handler, asked: send(handler, data)


def shorter_than_it_says(handler: BaseHTTPRequestHandler, asked: dict[str, str]) -> None:
    data = fits_cutout(asked)
    send(handler, data[: len(data) // 2], length=str(len(data)))
    hang_up(handler, asked)


def half_of_the_file(handler: BaseHTTPRequestHandler, asked: dict[str, str]) -> None:
    data = fits_cutout(asked)
    send(handler, data[: 2880 * (len(data) // 5760)])


def hang_up(handler: BaseHTTPRequestHandler, asked: dict[str, str]) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def silence(handler: BaseHTTPRequestHandler, asked: dict[str, str]) -> None:
    handler.server.over.wait(60)
    hang_up(handler, asked)


def silence_in_the_middle(handler: BaseHTTPRequestHandler, asked: dict[str, str]) -> None:
    data = fits_cutout(asked)
    send(handler, data[:1000], length=str(len(data)))
    silence(handler, asked)


class Service:
    """What the server does next for each position, by RA as text, and what it was asked."""

    good = staticmethod(good)
    status = staticmethod(status)
    body = staticmethod(body)
    fits = staticmethod(fits_cutout)
    jpeg = staticmethod(jpeg_cutout)
    written = staticmethod(written)
    shorter_than_it_says = staticmethod(shorter_than_it_says)
    half_of_the_file = staticmethod(half_of_the_file)
    hang_up = staticmethod(hang_up)
    silence = staticmethod(silence)
    silence_in_the_middle = staticmethod(silence_in_the_middle)

    def __init__(self) -> None:
        self.plans: dict[str, list[Act]] = defaultdict(list)
        self.always: dict[str, Act] = {}
        self.requests: list[dict[str, str]] = []
        self.times: list[float] = []
        self.agents: set[str] = set()
        self.usual: Act = good
        self.url = ""

    def asked(self) -> Counter[str]:
        return Counter(request["ra"] for request in self.requests)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        where = urlsplit(handler.path)
        asked = {name: values[0] for name, values in parse_qs(where.query).items()} | {"path": where.path}
        self.requests.append(asked)
        self.times.append(time.monotonic())
        self.agents.add(handler.headers["User-Agent"])
        plan = self.plans[asked["ra"]]
        act = plan.pop(0) if plan else self.always.get(asked["ra"], self.usual)
        act(handler, asked)


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            try:
                service.answer(self)
            except (ConnectionError, OSError):
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.over = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    yield service
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pace() -> Pace:
    """The real times, scaled down."""
    return Pace(rate=1000, retries=2, timeout_s=5, first_wait_s=0.01, longest_wait_s=0.05, retry_after_cap_s=0.2)


@pytest.fixture
def asked(service: Service) -> Cutouts:
    return Cutouts("ls-dr10", "grz", SIZE, 0.262, "fits", service.url)
