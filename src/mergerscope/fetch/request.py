"""What is asked of the cutout service for every galaxy alike: layer, bands, size and file format."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from mergerscope.errors import SurveyError

__all__ = ["FORMATS", "SERVER", "Cutouts"]

SERVER = "https://www.legacysurvey.org/viewer"
"""Of the DESI Legacy Imaging Surveys (Dey et al. 2019, arXiv:1804.08657)."""

FORMATS = ("fits", "jpg")

MAX_SIZE = 3000
"""The service cuts down larger requests without a word."""

FITS_BYTES_PER_VALUE = 4
SPARE_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Cutouts:
    """The part of a request that is the same for all galaxies."""

    layer: str
    """Name of the image layer, such as ``ls-dr10`` or ``sdss``."""
    bands: str
    """One letter a band, in the order of the planes of a FITS file."""
    size: int
    """Pixels a side."""
    pixscale: float
    """Arcseconds a pixel."""
    file_format: str = "fits"
    """One of `FORMATS`."""
    server: str = SERVER
    """Address before ``/cutout.fits``."""

    def __post_init__(self) -> None:
        """Refuse what the service would quietly replace by something else.

        Raises:
            SurveyError: naming the option.
        """
        if not self.bands.isalpha() or len(set(self.bands)) != len(self.bands):
            raise SurveyError(f"--bands {self.bands!r}: give one letter a band, each once, such as grz.")
        if not 1 <= self.size <= MAX_SIZE:
            raise SurveyError(f"--size {self.size}: the service gives 1 to {MAX_SIZE} pixels a side.")
        if not self.server.startswith(("http://", "https://")):
            raise SurveyError(f"--server {self.server!r}: give an address that begins with http:// or https://.")

    def url(self, ra_deg: float, dec_deg: float) -> str:
        """Return the address of the cutout around a position, ICRS, degrees."""
        asked = {
            "ra": repr(ra_deg), "dec": repr(dec_deg), "layer": self.layer, "pixscale": repr(self.pixscale),
            "size": self.size, "bands": self.bands,
        }  # fmt: skip
        return f"{self.server.rstrip('/')}/cutout.{self.file_format}?{urlencode(asked)}"

    @property
    def max_bytes(self) -> int:
        """More than any good answer has: an image, its inverse variance and its mask, uncompressed, with headers."""
        return 3 * self.size**2 * len(self.bands) * FITS_BYTES_PER_VALUE + SPARE_BYTES
