"""What `mergerscope sweep` searches, by what it judges, and how it goes about it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, model_validator

from mergerscope.params.fields import Block, Count, Positive

__all__ = ["Searched", "SweepParams"]


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("should be a number")
    return value


def _choice(value: Any) -> bool | int | float | str:
    if not isinstance(value, bool | int | float | str):
        raise ValueError("should be a number, a word, true or false")
    return value


# A plain union would tell of each of its members what is wrong.
Number = Annotated[int | float, PlainValidator(_number)]
Choice = Annotated[bool | int | float | str, PlainValidator(_choice)]
NUMERIC = ("low", "high", "log", "step")


class Searched(Block):
    """The values that one parameter may take in a sweep: a range of numbers, or a list of choices."""

    type: Literal["float", "int", "categorical"]
    """`float` and `int` have a range, `categorical` has choices."""
    low: Number | None = None
    """Smallest value."""
    high: Number | None = None
    """Largest value."""
    log: bool = False
    """Whether to search evenly in the logarithm."""
    step: Number | None = None
    """Distance of neighbouring values; any value in the range where left out."""
    choices: Annotated[tuple[Choice, ...], Field(strict=False)] | None = None
    """Of a `categorical`: numbers, words, true or false."""

    @model_validator(mode="after")
    def _whole(self) -> Searched:
        if problem := self._of_choices() if self.type == "categorical" else self._of_a_range():
            raise ValueError(problem)
        return self

    def __str__(self) -> str:
        if self.choices is not None:
            return " or ".join(map(str, self.choices))
        step = "" if self.step is None else f" in steps of {self.step}"
        return f"{self.low} to {self.high}{step}{', log' if self.log else ''}"

    def entry(self) -> dict[str, Any]:
        """Return what was set, as a plain mapping for JSON."""
        return self.model_dump(mode="json", exclude_defaults=True)

    def holds(self, value: Any) -> bool:
        """Whether the parameter may take ``value`` in a sweep."""
        if self.choices is not None:
            # True equals 1 in Python, and 1.0 does; only the latter is meant.
            alike = (choice for choice in self.choices if isinstance(choice, bool) is isinstance(value, bool))
            return any(value == choice for choice in alike)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.type == "int" and value != int(value):
            return False
        assert self.low is not None
        assert self.high is not None
        on_grid = self.step is None or (_exact(value) - _exact(self.low)) % _exact(self.step) == 0
        return self.low <= value <= self.high and on_grid

    def _of_choices(self) -> str:
        given = [name for name in NUMERIC if getattr(self, name) is not None and getattr(self, name) is not False]
        if given:
            return f"is categorical and has choices, not {' and '.join(given)}"
        if self.choices is None or len(self.choices) < 2:
            return "is categorical and needs at least two choices"
        if len(set(self.choices)) < len(self.choices):
            return "has equal choices"
        return ""

    def _of_a_range(self) -> str:
        if self.choices is not None:
            return f"is {self.type} and has a range, not choices; with choices it is categorical"
        if self.low is None or self.high is None:
            return f"is {self.type} and needs low and high"
        ends = [end for end in (self.low, self.high, self.step) if end is not None]
        if self.type == "int" and not all(isinstance(end, int) for end in ends):
            return "is int and needs whole numbers"
        if not self.low < self.high < float("inf"):
            return "needs low < high"
        if self.log and self.low <= 0:
            return "is searched in the logarithm and needs low above 0"
        if self.step is not None and self.log:
            return "has either a step or log"
        if self.step is not None and (self.step <= 0 or (_exact(self.high) - _exact(self.low)) % _exact(self.step)):
            return "needs a step above 0 that leads from low to high"
        return ""


def _exact(number: float) -> Decimal:
    # 0.3 is no multiple of 0.1 in binary
    return Decimal(str(number))


def _space() -> dict[str, Searched]:
    return {
        "views.strength": Searched(type="float", low=0.0, high=1.0),
        "encoder.embedding_dim": Searched(type="int", low=32, high=1024, log=True),
    }


class SweepParams(Block):
    """How `mergerscope sweep` looks for better settings."""

    k: Positive = 100
    """Of the recall of held-out references that is searched for; at most half the pool galaxies of the validation."""
    epochs: Count = 6
    """Of a trial; 0 takes `train.epochs`."""
    repeats: Positive = 1
    """Trainings a trial, with the seeds `train.seed`, `train.seed` + 1 and so on; their mean recall is what counts."""
    sampler: Literal["tpe", "random"] = "tpe"
    """`tpe` learns from the trials before, `random` draws evenly."""
    pruner: Literal["median", "hyperband", "none"] = "median"
    """Which trials are given up early: by each epoch's recall, `median` those behind half of the others."""
    warmup_epochs: Count = 2
    """Epochs before a trial may be given up."""
    startup_trials: Positive = 4
    """Complete trials before one may be given up, and random trials before `tpe` begins to learn."""
    multi_objective: bool = False
    """Whether to search for a high recall and a small embedding at once; then no trial is given up."""
    seed: Annotated[int, Field(ge=0, lt=1_000_000_000)] = 1
    """Of the values that are tried."""
    space: dict[str, Searched] = Field(default_factory=_space, min_length=1)
    """The parameters that are searched, each with its type and range, or with its choices."""
