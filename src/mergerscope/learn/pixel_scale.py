"""How large a pixel of flux is on the sky: what a user says, else what the survey's files say."""

from __future__ import annotations

from typing import NamedTuple

from mergerscope.learn.conditions import PIXEL_ARCSEC
from mergerscope.params import ViewsParams
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.sampling import Sampling

__all__ = ["PixelScale", "pixel_scale"]

TOLERATED = 1.1
"""Ratio of two sides up to which nobody need be told: the blur differs by no more."""


class PixelScale(NamedTuple):
    """Side of a pixel in the shards."""

    arcsec: float
    note: str
    """What a user should be told; empty where all is clear, and for pictures."""


def pixel_scale(views: ViewsParams, manifest: Manifest) -> PixelScale:
    """Return the side of a pixel: ``views.pixel_arcsec``, else the manifest's, else that of the Legacy Surveys.

    What is set by hand is taken even against the files: a file that was scaled without its WCS tells a wrong one.
    """
    told, named = manifest.sampling, views.pixel_arcsec
    if manifest.dtype == "uint8":
        return PixelScale(PIXEL_ARCSEC if named is None else named, "")
    if named is None:
        return _of_files(told)
    if told is None or 1 / TOLERATED < named / told.pixel_arcsec < TOLERATED:
        return PixelScale(named, "")
    return PixelScale(
        named, f"views.pixel_arcsec is {named:g}, and by the WCS of {told.galaxies} files the shards' pixels have "
        f"{told.pixel_arcsec:g} arcsec: images are blurred {told.pixel_arcsec / named:.2g} times as much as was "
        "published. Set it to null, unless that WCS is wrong.",
    )  # fmt: skip


def _of_files(told: Sampling | None) -> PixelScale:
    if told is None:
        return PixelScale(PIXEL_ARCSEC, f"no file tells the side of a pixel: {PIXEL_ARCSEC} arcsec, the Legacy "
                          "Surveys', are taken. Set views.pixel_arcsec to that of the shards' pixels.")  # fmt: skip
    note = "" if told.one_scale else (
        f"pixels of {told.pixel_arcsec_5:g} to {told.pixel_arcsec_95:g} arcsec are all blurred as those of the "
        f"median, {told.pixel_arcsec:g}"
    )
    return PixelScale(told.pixel_arcsec, note)
