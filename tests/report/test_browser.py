"""The page in a real browser, without a network."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")


@pytest.fixture(scope="module")
def browse(page, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    (folder / "report.html").write_text(page, encoding="utf-8")

    def browse(*options):
        # No name resolves, so that anything the page asked for over the network would fail.
        offline = ("--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}")
        command = [CHROMIUM, *FLAGS, *offline, *options, (folder / "report.html").as_uri()]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    return browse


@pytest.mark.parametrize("width", [500, 1280])
def test_page_fills_the_window_and_does_not_overflow_it(browse, tmp_path, width):
    file = tmp_path / "page.png"
    browse(f"--window-size={width},3000", f"--screenshot={file}")
    pixels = np.asarray(Image.open(file).convert("RGB")).astype(int)
    assert pixels.shape == (3000, width, 3)
    drawn = np.abs(pixels - pixels[0, 0]).max(axis=2) > 60
    assert drawn.mean() > 0.05
    assert not drawn[:, -8:].any(), "something sticks out on the right"


def test_script_makes_the_tables_sortable(browse):
    page = browse("--dump-dom", "--virtual-time-budget=2000")
    assert page.count('<button type="button">') == 8 + 3
