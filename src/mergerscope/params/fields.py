"""What blocks of params.yaml are made of: their base class, and kinds of values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

__all__ = ["Block", "Count", "Device", "Engine", "Fraction", "Positive", "Range", "RankerName"]

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Device = Literal["auto", "cpu", "cuda"]
Engine = Literal["local", "ray"]
RankerName = Literal[
    "auto", "mean_cosine", "centred", "whitened", "nearest", "contrast", "density", "lda", "logistic", "pairs_head",
    "blend",
]


def _ascending(value: tuple[float, float]) -> tuple[float, float]:
    if not 0 < value[0] <= value[1]:
        raise ValueError(f"must be a range [low, high] with 0 < low <= high, got [{value[0]}, {value[1]}]")
    return value


# A YAML list becomes a tuple; strict mode would refuse it, so this one field type is relaxed.
Range = Annotated[tuple[float, float], Field(strict=False), AfterValidator(_ascending)]


class Block(BaseModel):
    """Base of every block: unknown names and silent conversions are refused, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)
