"""Circles with ids, as SAOImage DS9 and Aladin show them over an image."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["region_text"]

RADIUS_ARCSEC = 10


def region_text(table: pa.Table) -> str:
    """Return a DS9 region file (format 4.1) of the rows that have a position, in ICRS degrees."""
    lines = ["# Region file format: DS9 version 4.1", "global color=green width=1", "icrs"]
    columns = [table.column(name).to_pylist() for name in ("id", "ra_deg", "dec_deg")]
    lines += [
        f'circle({ra:.7f},{dec:.7f},{RADIUS_ARCSEC}") # text={{{name}}}'
        for name, ra, dec in zip(*columns, strict=True)
        if ra is not None and dec is not None
    ]
    return "\n".join(lines) + "\n"
