"""What a survey reader yields: a galaxy, or the reason why there is none.

Reasons are short codes. The ones of this room:

====================================  ==============================================================
row                                   means
====================================  ==============================================================
``field-count``                       the row has more or fewer fields than the header
``empty-id``, ``id-with-dot``,        the id cannot name a sample of a shard (see `fields.check_id`)
``id-with-slash``, ``id-characters``,
``id-length``
``duplicate-id``                      the id stands in several rows; which is right is unknown, so
                                      all of them are refused
``vote-not-a-number``,                a vote must be blank or a fraction in 0...1
``vote-out-of-range``
``position-not-a-number``,            RA must lie in 0...360 and Dec in -90...90 degrees, both or
``position-out-of-range``,            neither given
``position-incomplete``
``reddening``                         E(B-V) must be blank or a number not below 0
``no-image``                          the row's image file is not there
``no-row``                            an image that no row speaks of
====================================  ==============================================================

====================================  ==============================================================
image                                 means
====================================  ==============================================================
``unsafe-path``                       absolute, or climbs out of the survey with ``..``
``link``                              a symbolic link in a zip
``encrypted-member``,                 a zip member that needs a password, that appears twice, that is
``duplicate-member``,                 damaged, or that unpacks to far more than it should
``corrupt-member``, ``zip-bomb``
``too-large``                         more bytes or pixels than a cutout can have
``empty-file``, ``not-an-image``,     see `decode.decode_rgb`
``truncated``, ``corrupt-image``,
``bit-depth``, ``transparent``,
``fits``
``not-fits``, ``no-image-data``,      of flux: see `flux.fits_file.read_fits`; a size, band or unit that
``mixed-sizes``, ``mixed-units``,     does not fit the galaxy's other bands, or the survey's
``duplicate-band``, ``missing-band``,
``unit``, ``all-masked``
``not-hdf5``, ``no-images``,          of a whole HDF5 file or of its columns, see `flux.hdf5.ImageFile`
``outside-link``, ``wrong-dtype``,
``wrong-shape``
====================================  ==============================================================
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Galaxy", "ImageRefusedError", "Refusal"]


@dataclass(frozen=True, slots=True)
class Galaxy:
    """One row of a survey that is fit for the catalogue."""

    id: str
    """As the survey writes it: never changed."""
    image: str
    """Path relative to the survey's root; a zip member is ``images.zip::inner/path.jpg``, files of one band each are
    ``a_{g,r}.fits``, and ``images.h5::123`` is a row of an HDF5 file."""
    ra_deg: float | None
    """Right ascension, ICRS, degrees in 0...360."""
    dec_deg: float | None
    """Declination, ICRS, degrees in -90...90."""
    votes: dict[str, float | None]
    """Fraction in 0...1 by vote column; None where nobody voted."""
    ebv: float | None = None
    """Galactic reddening E(B-V), mag; of surveys of flux."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One input that is left out, and why."""

    id: str
    """The galaxy's id as written; for an image without a row, the file's name without its ending."""
    source: str
    """Where it stands: ``catalog.csv:17`` for a row, the image's path for an image."""
    stage: str
    """Which stage refused it: ``catalog`` or ``shard``."""
    reason: str
    """Short kebab-case code, listed in this module and in the rooms that refuse."""
    detail: str
    """What exactly was got."""


class ImageRefusedError(Exception):
    """An image cannot be used; becomes a `Refusal` and never ends a run."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)  # both arguments, so that it survives the way back from a worker process
        self.reason = reason
        self.detail = detail
