"""What is asked of a sweep."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mergerscope.errors import SweepError

__all__ = ["Request"]

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a sweep.

    Raises:
        SweepError: the name is none that a folder can have.
    """

    study: str
    trials: int
    """Of the study in all, those of earlier starts and of other machines among them."""
    workers: int = 1
    timeout: float | None = None
    """Seconds; None for as long as it takes."""
    storage: str | None = None
    """Address of a database, or path of a journal; None for a journal in the sweep's own folder."""
    resume: bool = False

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.study):
            raise SweepError(
                f"{self.study!r} is no name for a study, of which a folder is named: use letters, digits, `-`, `_` and "
                "`.`, up to 100 of them, and begin with no dot."
            )
