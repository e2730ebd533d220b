"""What a FITS file says beside the flux: which pixels hold nothing.

An extension is known by the words of its ``EXTNAME``, else of its ``IMAGETYP``, as the Legacy Surveys' cutout service
writes it. Two kinds tell of pixels without flux:

- *weights*: an inverse variance, or a weight that is proportional to one (``INVVAR``, ``IVAR``, ``WGT``, ``WEIGHT``,
  ``WHT``). Where it is 0, below 0 or no number, nothing was observed: no other meaning is published. ``WT`` is not
  read, for Pan-STARRS means the variance by it.
- *bits* (``MASK``, ``MSK``, ``DQ``, ``FLAG``, ``MASKBITS``). What a bit means differs from survey to survey, and most
  bits are no damage: ``DETECTED`` of HSC and LSST lies on every galaxy, ``MASKBITS`` of the Legacy Surveys marks the
  surroundings of bright stars and large galaxies. So no bit is used unless it is asked for (`FluxSpec.mask_bits`), but
  for ``NO_DATA`` where the header numbers it, as the pipelines of HSC and LSST do (``MP_NO_DATA``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["Kind", "Veil", "extension_kind", "veil_of", "veils_over"]

Kind = Literal["flux", "weights", "bits", "other"]

KINDS: dict[Kind, frozenset[str]] = {
    "weights": frozenset({"IVAR", "INVVAR", "WGT", "WEIGHT", "WEIGHTS", "WHT"}),
    "bits": frozenset({"MASK", "MSK", "DQ", "FLAG", "FLAGS", "MASKBITS"}),
    "other": frozenset({
        "WT", "VAR", "VARIANCE", "ERR", "ERROR", "ERRORS", "SIGMA", "RMS", "STDEV", "PSF", "EXP", "NEXP", "NIMAGE",
        "EXPTIME", "BKG", "SKY", "MODEL", "DEPTH",
    }),
}  # fmt: skip
NO_DATA = "MP_NO_DATA"


@dataclass(frozen=True, slots=True, eq=False)
class Veil:
    """One plane of weights or bits."""

    kind: Kind
    band: str | None
    hides: npt.NDArray[np.bool_]
    """(H, W), row 0 at the top."""


def extension_kind(header: Mapping[str, Any]) -> Kind:
    """Return what an image extension holds."""
    for kind, names in KINDS.items():
        # IMAGETYP has other uses as well: SKY may be the type of an exposure
        keys = ("EXTNAME",) if kind == "other" else ("EXTNAME", "IMAGETYP")
        if any(not names.isdisjoint(re.split(r"[^A-Z]+", str(header.get(key, "")).upper())) for key in keys):
            return kind
    return "flux"


def veil_of(kind: Kind, header: Mapping[str, Any], data: Any, bits: int) -> npt.NDArray[np.bool_] | None:
    """Return which pixels hold nothing, as ``data`` lies, or None where the extension tells of none.

    Args:
        kind: of the extension.
        header: likewise.
        data: likewise; called for its pixels only where they are asked for, which unpacks them.
        bits: of a mask, those that count.
    """
    if kind == "weights":
        with np.errstate(invalid="ignore"):
            return ~(np.asarray(data()) > 0)
    if kind != "bits":
        return None
    number = header.get(NO_DATA)
    if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 63:
        bits |= 1 << number
    if not bits:
        return None
    mask = np.asarray(data())
    return (mask.astype(np.int64) & bits) != 0 if mask.dtype.kind in "iu" else None


def veils_over(bands: Sequence[str | None], veils: Sequence[Veil]) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    """Yield the number of a plane of flux and what lies over it; a plane may come several times.

    In a file with one plane everything lies over that. Of several, a veil that names a band lies over this band; one
    alone of its kind that names none over all; and as many as there are planes, none with a name, lie in order. Others
    are passed over.

    Args:
        bands: of the planes of flux of one file, in order.
        veils: of the same file, in order.
    """
    for kind in ("weights", "bits"):
        these = [veil for veil in veils if veil.kind == kind]
        nameless = all(veil.band is None for veil in these)
        for number, veil in enumerate(these):
            if len(bands) == 1 or (nameless and len(these) == 1):
                over = list(range(len(bands)))
            elif nameless or not any(bands):
                over = [number] if len(these) == len(bands) else []
            else:
                over = [place for place, band in enumerate(bands) if band is not None and band == veil.band]
            yield from ((place, veil.hides) for place in over)
