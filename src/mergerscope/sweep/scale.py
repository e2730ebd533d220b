"""Where a parameter's value stands on the axis of a figure: all of the space searched, from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

__all__ = ["Scale", "scales", "short"]

LONGEST = 14
"""Characters of a choice beside an axis; the middle of a longer one is left out."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The range of one parameter."""

    name: str
    low: float
    high: float
    log: bool = False
    choices: tuple[Any, ...] = ()
    """Of a parameter that is one of several words; its range is then their number."""

    @classmethod
    def of(cls, name: str, distribution: Any) -> Self:
        """Return the scale of an Optuna distribution."""
        if isinstance(distribution, CategoricalDistribution):
            return cls(name, 0, len(distribution.choices), choices=tuple(distribution.choices))
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        return cls(name, distribution.low, distribution.high, distribution.log)

    def place(self, value: Any) -> float:
        """Return where a value stands between both ends, 0 to 1; a choice in the middle of its part."""
        if self.choices:
            return (self.choices.index(value) + 0.5) / len(self.choices)
        if self.high <= self.low:
            return 0.5
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return float((value - self.low) / (self.high - self.low))

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Return places and labels of at most ``most`` round values; of every choice, however many."""
        if self.choices:
            return [(self.place(choice), short(choice)) for choice in self.choices]
        if self.high <= self.low:
            return [(0.5, short(self.low))]
        values = _log_ticks(self.low, self.high, most) if self.log else _linear_ticks(self.low, self.high, most)
        return [(self.place(value), short(value)) for value in values]


def scales(trials: Sequence[FrozenTrial]) -> list[Scale]:
    """Return the scale of every parameter that the trials have, in the order in which they were searched."""
    found = {name: distribution for trial in trials for name, distribution in trial.distributions.items()}
    return [Scale.of(name, distribution) for name, distribution in found.items()]


def short(value: Any) -> str:
    """A value as people write it: three digits that matter, no exponent where it can be avoided."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = str(value)
        return text if len(text) <= LONGEST else f"{text[:6]}\N{HORIZONTAL ELLIPSIS}{text[-6:]}"
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{int(value)}"
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e")


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    from matplotlib.ticker import MaxNLocator

    # Binary fractions of a step would make the ends fall outside by a hair.
    room = 1e-9 * (high - low)
    found = MaxNLocator(nbins=most - 1, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(round(value, 12)) for value in found if low - room <= value <= high + room]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    powers_of_two = all(math.log2(end).is_integer() for end in (low, high))
    if powers_of_two and high / low < 4096:
        every = [2.0**power for power in range(round(math.log2(low)), round(math.log2(high)) + 1)]
        return every[:: -(-len(every) // most)]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        found = [step * 10.0**power for power in decades for step in steps]
        inside = [value for value in found if low * (1 - 1e-9) <= value <= high * (1 + 1e-9)]
        if len(inside) <= most:
            return inside if len(inside) > 1 else [low, high]
    return inside[:: -(-len(inside) // most)]
