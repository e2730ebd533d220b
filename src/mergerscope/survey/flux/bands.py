"""Names of bands: out of a header's words, and out of the names of files that hold one band each.

A file of one band is called ``<id>_<band>``, ``<id>-<band>`` or ``<id>.<band>``, with ``band`` behind it or not
(``132_gband.fits``), and ``.fits``, ``.fit`` or ``.fts``, alone or with ``.gz``, ``.bz2`` or ``.fz`` behind. What
counts as a band there is u g r i z y, J H K Ks, W1 to W4, VIS, NUV, FUV and filters such as F814W, in any case of
letters; so an id that itself ends like that needs a file of another name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "FITS_ENDING", "band_of_file", "band_order", "expand", "header_band", "known_band", "plane_names", "reference_of",
    "stem_of",
]  # fmt: skip

FITS_ENDING = re.compile(r"\.(?:fits|fit|fts)(?:\.(?:gz|bz2|fz))?$", re.IGNORECASE)
BY_WAVELENGTH = (
    "FUV", "NUV", "u", "g", "r", "VIS", "i", "z", "y", "J", "H", "Ks", "K", "W1", "W2", "W3", "W4",
)  # fmt: skip
NAMES = {name.lower(): name for name in BY_WAVELENGTH}
SPACE = re.compile(r"f\d{3,4}(?:lp|[nwmx]2?)", re.IGNORECASE)
SECOND = re.compile(r"([gri])2")  # HSC-R2, HSC-I2: the filters that came second
ONE_BAND = re.compile(r"(?P<id>.+)[_.-](?P<band>[A-Za-z0-9]+)")
WORD_BAND = re.compile(r"(?<=[^_.-])[_-]?band$", re.IGNORECASE)
ANY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,15}")
BRACES = re.compile(r"([^{}]*)\{([^{}]*)\}([^{}]*)")


def known_band(text: str) -> str | None:
    """Return the band that a word such as ``g``, ``HSC-G``, ``SDSS_g`` or ``g.00000`` names, or None."""
    words = re.split(r"[ .,;]", text.strip(), maxsplit=1)
    last = re.split(r"[-_/:]", words[0])[-1].lower()
    last = SECOND.sub(r"\1", last) if SECOND.fullmatch(last) else last
    return last.upper() if SPACE.fullmatch(last) else NAMES.get(last)


def header_band(header: Mapping[str, Any]) -> str | None:
    """Return the band that a FITS header names: ``FILTER``, ``BAND``, ``FPA.FILTER``, else ``EXTNAME`` if it is one."""
    for key in ("FILTER", "BAND", "FPA.FILTER"):
        text = str(header.get(key, "")).strip()
        if text:
            first = text.split()[0]
            found = known_band(text) or (first if ANY_NAME.fullmatch(first) else None)
            if found:
                return found
    return known_band(str(header.get("EXTNAME", "")))


def plane_names(header: Mapping[str, Any], count: int) -> list[str | None]:
    """Return the bands of the planes of a cube: ``BAND0``..., ``BANDS`` with a letter each, or ``FILTER1``..."""
    for keys in ([f"BAND{i}" for i in range(count)], [f"FILTER{i + 1}" for i in range(count)]):
        if all(str(header.get(key, "")).strip() for key in keys):
            texts = [str(header[key]).strip() for key in keys]
            return [known_band(text) or text for text in texts]
    letters = str(header.get("BANDS", "")).replace(",", "").replace(" ", "")
    return [known_band(letter) or letter for letter in letters] if len(letters) == count else [None] * count


def stem_of(path: str) -> str:
    """Return a path without the ending of a FITS file."""
    return FITS_ENDING.sub("", path)


def band_of_file(path: str) -> tuple[str, str | None]:
    """Return what a file's name says: the path without band and ending, and the band, None where it names none."""
    stem = stem_of(path)
    folder, _, name = stem.rpartition("/")
    match = ONE_BAND.fullmatch(WORD_BAND.sub("", name))
    band = known_band(match["band"]) if match else None
    if match is None or band is None:
        return stem, None
    return f"{folder}/{match['id']}" if folder else match["id"], band


def band_order(band: str) -> tuple[int, str]:
    """Return the key that sorts bands by wavelength, those of unknown wavelength last, by name."""
    return (BY_WAVELENGTH.index(band) if band in BY_WAVELENGTH else len(BY_WAVELENGTH), band)


def reference_of(paths: Sequence[str]) -> str:
    """Return one reference for the files of a galaxy: ``a_{g,r}.fits``."""
    if len(paths) == 1:
        return paths[0]
    start = _common_start(paths)
    rests = [path[len(start) :] for path in paths]
    tail = _common_start([rest[::-1] for rest in rests])[::-1]
    return f"{start}{{{','.join(rest[: len(rest) - len(tail)] for rest in rests)}}}{tail}"


def _common_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)  # sorted, all others lie between them
    return first[: next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]


def expand(reference: str) -> list[str]:
    """Return the files that a reference names; the inverse of `reference_of`."""
    match = BRACES.fullmatch(reference)
    if match is None:
        return [reference]
    start, parts, tail = match.groups()
    return [f"{start}{part}{tail}" for part in parts.split(",")]
