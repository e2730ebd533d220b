"""A small survey on disk, and its catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mergerscope.params import ShardParams, SplitParams, SurveyParams, TargetParams
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.writer import write_shards
from mergerscope.survey.catalog import Catalog, build_catalog, read_catalog, write_catalog


class Sky:
    """Pictures of galaxies, in memory and as files."""

    @staticmethod
    def pixels(seed: int, height: int, width: int) -> np.ndarray:
        """A smooth bright blob, a few stars and noise: what makes a filter's errors show."""
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[:height, :width]
        scale = min(height, width)
        radius = np.hypot(y - height / 2, (x - width / 2) * rng.uniform(1, 2)) / scale
        noise = 8 + rng.normal(0, 3, (height, width, 3))
        light = 200 * np.exp(-radius[..., None] * rng.uniform(8, 14, 3))
        for _ in range(6):
            star = np.hypot(y - rng.uniform(0, height), x - rng.uniform(0, width)) / (scale * 0.006)
            light += (rng.uniform(80, 250) * np.exp(-(star**2)))[..., None]
        return np.clip(noise + light, 0, 255).astype(np.uint8)

    @staticmethod
    def file(pixels: np.ndarray, kind: str = "JPEG") -> bytes:
        stream = BytesIO()
        Image.fromarray(pixels).save(stream, kind, **({"quality": 92} if kind == "JPEG" else {}))
        return stream.getvalue()


@pytest.fixture(scope="session")
def sky() -> Sky:
    return Sky()


@dataclass(frozen=True)
class Survey:
    root: Path
    catalog: Catalog


@pytest.fixture
def make_survey(sky: Sky, tmp_path: Path) -> Callable[..., Survey]:
    """Write ``count`` images of 64 px and their table; ``bad`` maps a number to what its file holds instead."""

    def make(count: int, bad: dict[int, bytes] | None = None) -> Survey:
        root = tmp_path / "survey"
        (root / "images").mkdir(parents=True)
        lines = ["id,filename,p_merger,ra_deg,dec_deg"]
        for number in range(count):
            data = (bad or {}).get(number)
            if data is None:
                data = sky.file(sky.pixels(number, 64, 64))
            (root / "images" / f"g{number:04d}.jpg").write_bytes(data)
            place = f"{number / 10},{-number / 20}" if number % 2 else ","
            lines.append(f"g{number:04d},g{number:04d}.jpg,{0.9 if number < 5 else 0.1},{place}")
        (root / "catalog.csv").write_text("\n".join(lines) + "\n")
        target = TargetParams(column="p_merger")
        result = build_catalog(root, SurveyParams(), target, SplitParams(), workers=1)
        write_catalog(result.table, tmp_path / "catalog.parquet")
        return Survey(root, read_catalog(tmp_path / "catalog.parquet"))

    return make


@dataclass(frozen=True)
class Packed:
    folder: Path
    manifest: Manifest
    survey: Survey

    @property
    def ids(self) -> list[str]:
        return self.survey.catalog.ids.tolist()


@pytest.fixture
def packed(make_survey: Callable[..., Survey], tmp_path: Path) -> Packed:
    """Fifty galaxies in seven shards."""
    survey = make_survey(50)
    folder = tmp_path / "shards"
    params = ShardParams(size=32, per_shard=8, workers=1)
    manifest = write_shards(survey.catalog, survey.root, folder, params, [], scratch=tmp_path / "scratch")
    return Packed(folder, manifest, survey)
