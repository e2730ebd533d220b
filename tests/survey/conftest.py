"""Small surveys on disk, made as a user would have them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

Pixels = npt.NDArray[np.uint8]


def picture(number: int, height: int = 24, width: int = 24) -> Pixels:
    """Return a smooth (H, W, 3) picture that differs from that of every other number."""
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(number)
    waves = [128 + 100 * np.sin(rng.uniform(0.1, 0.5) * x + rng.uniform(0.1, 0.5) * y + number) for _ in range(3)]
    return np.stack(waves, axis=-1).astype(np.uint8)


def encode(pixels: Pixels, file_format: str = "JPEG", **settings: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, **settings)  # type: ignore[arg-type]
    return buffer.getvalue()


def jpeg(number: int) -> bytes:
    return encode(picture(number), quality=90)


class SurveyMaker:
    """Writes surveys below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def table(
        self,
        lines: list[str],
        images: Mapping[str, bytes] | None = None,
        header: str = "id,filename,p_merger",
        place: str = "images",
    ) -> Path:
        """Write catalog.csv of ``lines`` and the images into ``place``: a folder, ``""`` or a zip."""
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "catalog.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        self.images(images or {}, place)
        return self.root

    def images(self, images: Mapping[str, bytes], place: str) -> None:
        if place.endswith(".zip"):
            with zipfile.ZipFile(self.root / place, "w") as archive:
                for name, data in images.items():
                    archive.writestr(name, data)
            return
        for name, data in images.items():
            path = self.root / place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def simple(self, votes: Mapping[str, str], place: str = "images") -> Path:
        """Write a table survey with one picture of its own for every id."""
        lines = [f"{identity},{identity}.jpg,{vote}" for identity, vote in votes.items()]
        return self.table(lines, {f"{identity}.jpg": jpeg(i) for i, identity in enumerate(votes)}, place=place)


@pytest.fixture
def maker(tmp_path: Path) -> SurveyMaker:
    return SurveyMaker(tmp_path / "survey")


@pytest.fixture(scope="session")
def survey_maker() -> type[SurveyMaker]:
    return SurveyMaker


@pytest.fixture(scope="session")
def make_jpeg() -> Callable[[int], bytes]:
    return jpeg


@pytest.fixture(scope="session")
def make_picture() -> Callable[..., Pixels]:
    return picture


@pytest.fixture(scope="session")
def make_file() -> Callable[..., bytes]:
    return encode
