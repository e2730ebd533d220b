"""What time it is in an encounter, and which part of it that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from mergerscope.simulate.encounter import Events
from mergerscope.simulate.truth import Stage

__all__ = ["Clock"]

PASSAGE = 6
"""A passage lasts this fraction of the way to the apocentre: the pair covers a few pericentre distances in it."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The moment of one encounter among many.

    Attributes:
        steps: from the start.
        dt: of a step, Gyr.
        events: of all encounters.
        row: of this one in ``events``.
    """

    steps: int
    dt: float
    events: Events
    row: int

    def since(self, event: NDArray[Any]) -> float:
        """Return the time since an event, (B,) steps, in Gyr; negative before it."""
        return (self.steps - int(event[self.row])) * self.dt

    @property
    def stage(self) -> Stage:
        """Part of the encounter."""
        events, row, now = self.events, self.row, self.steps
        if now >= events.coalescence[row]:
            return "coalesced"
        if now >= events.second[row]:
            return "return"
        past = now - events.pericentre[row]
        if abs(past) <= max(3, (events.apocentre[row] - events.pericentre[row]) // PASSAGE):
            return "passage"
        return "approach" if past < 0 else "apart"
