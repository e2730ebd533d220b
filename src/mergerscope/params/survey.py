"""The survey: where it lies, what is searched for in it, how it is divided and packed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mergerscope.params.fields import Block, Count, Fraction, Positive

__all__ = ["FluxParams", "ShardParams", "SplitParams", "SurveyParams", "TargetParams"]


def _distinct(bands: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(bands)) < len(bands) or not all(bands):
        raise ValueError(f"must name each band once, got [{', '.join(bands)}]")
    return bands


class SurveyParams(Block):
    """Where the survey lies and how it is laid out."""

    root: str = "data"
    """The survey's folder, relative to the project's root or absolute."""
    format: Literal["auto", "kaggle", "table", "fits", "hdf5"] = "auto"
    """`kaggle`: images_training_rev1 and training_solutions_rev1.csv, as folder, file or zip; `table`: catalog.csv or .parquet beside images; `fits`, `hdf5`: such files beside labels.csv; `auto` looks which of them is there."""  # noqa: E501


class TargetParams(Block):
    """Which galaxies are searched for."""

    column: str = "Class8.6"
    """A vote column of the survey (fractions in 0...1)."""
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """A galaxy is a known merger where its vote lies above; a blank vote is unknown, not a no."""


class SplitParams(Block):
    """How the known mergers are divided into references and hidden test positives."""

    seed: int = 5
    """Seed of the hash of the id that decides a galaxy's role."""
    hidden_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.3333
    """Expected share of the known mergers that is hidden until `evaluate`."""


class FluxParams(Block):
    """How images that hold flux (FITS, HDF5) are read; pictures know none of it."""

    # A YAML list becomes a tuple; strict mode would refuse it, so this one field is relaxed.
    bands: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_distinct)] = ()
    """The bands to read, in this order; [] takes those that most galaxies have, in the order of the files."""
    missing_bands: Literal["refuse", "fill"] = "refuse"
    """A galaxy without one of the bands is left out, or the band is filled with zeros and named in its meta data."""
    zero_point: float | None = None
    """AB magnitude of one count where the file does not say; null keeps counts."""
    bin: Annotated[int, Field(ge=1, le=2)] = 1
    """2 sums squares of 2 x 2 pixels before anything else is done; 1 leaves the pixels as they are."""
    mask_bits: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Sum of the bits of a mask in the files (MASK, DQ, MASKBITS) that mean that a pixel holds nothing; 0 uses none of them."""  # noqa: E501
    stretch: Literal["legacy", "sdss", "hsc", "lupton", "linear"] = "legacy"
    """How flux becomes 0...1 for the network and for pictures: as a survey shows its own bands, by `softening` and `scale`, or each image from its faintest to its brightest pixel."""  # noqa: E501
    softening: Annotated[float, Field(gt=0)] = 8.0
    """The Q of `lupton`: below 1 / Q of white the mapping is linear, above it logarithmic."""
    scale: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(strict=False, min_length=1)] = (1.0,)
    """Of `lupton`: what the flux of each band is multiplied by, where 1 is white; one number for all of them, or one each."""  # noqa: E501


class ShardParams(Block):
    """How images are cut, scaled and packed."""

    crop: Fraction = 0.5
    """Side of the central square that is kept, as a fraction of the shorter side of the field."""
    size: Annotated[int, Field(ge=16, le=1024)] = 64
    """Pixels a side after the crop."""
    per_shard: Positive = 1000
    """Galaxies a shard."""
    workers: Count = 0
    """Processes that decode; 0 means one a core."""
    max_refused: Annotated[float, Field(ge=0, le=1)] = 0.05
    """The stage stops when a larger share of the survey is refused."""
