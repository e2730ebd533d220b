"""What was asked for on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """One search. Whatever is named, all of it together is what the galaxies should be like."""

    ids: tuple[str, ...] = ()
    """Galaxies of the survey."""
    images: tuple[Path, ...] = ()
    """Pictures or FITS files, or folders of them."""
    positions: tuple[str, ...] = ()
    """Right ascension and declination, see `mergerscope.query.sky.parse_position`."""
    radius_arcsec: float = 10.0
    """How far from a position its galaxy may be."""
    field: float | None = None
    """Side of the central square of a picture that is used, as a fraction of its shorter side; None tries several."""
    top: int = 24
    """Galaxies to be found."""
    index: str | None = None
    """``ivf`` or ``hnsw``; None searches exactly."""
    out: Path | None = None
    """Folder of the results; None is ``results/search``."""
