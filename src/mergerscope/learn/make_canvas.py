"""The canvas that fits a survey's images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mergerscope.learn.canvas import PICTURE, Canvas
from mergerscope.learn.flux_canvas import Flux, sky_noise
from mergerscope.learn.pixel_scale import pixel_scale
from mergerscope.params import Params
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_shard
from mergerscope.shards.shown import stretch_of
from mergerscope.survey.catalog_file import Catalog

__all__ = ["make_canvas"]

NOISE_IMAGES = 1000
"""Of the first shard, on which the noise of the sky is measured."""


def make_canvas(params: Params, shards_dir: Path, manifest: Manifest, catalog: Catalog) -> Canvas:
    """Return the canvas for the images of the shards: of pictures, or of flux with its noise and dust.

    Raises:
        ParameterError: the stretch that the parameters name does not fit the shards.
    """
    stretch = stretch_of(params, manifest)
    if stretch is None:
        return PICTURE
    images = torch.from_numpy(read_shard(shards_dir, manifest.shards[0].name).images[:NOISE_IMAGES])
    side = pixel_scale(params.views, manifest).arcsec
    return Flux(stretch, sky_noise(stretch.select(images)), side, _dust(catalog))


def _dust(catalog: Catalog) -> Callable[[Sequence[str]], Tensor]:
    known = catalog.ebv.astype(np.float32)

    def ebv_of(ids: Sequence[str]) -> Tensor:
        return torch.from_numpy(known[np.searchsorted(catalog.ids, ids)])

    return ebv_of
