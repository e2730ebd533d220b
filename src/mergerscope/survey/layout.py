"""From the rows of a survey to galaxies, one at a time, whatever the survey's format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from mergerscope.survey.fields import FieldError, check_id, parse_fraction, parse_position, parse_reddening
from mergerscope.survey.places import ImageIndex
from mergerscope.survey.records import Galaxy, ImageRefusedError, Refusal
from mergerscope.survey.rows import Row, TableFile

__all__ = ["Layout", "OpenSurvey", "images_without_row", "read_rows"]


class OpenSurvey(Protocol):
    """A survey of any format, opened: what `catalog.build_catalog` reads."""

    @property
    def format(self) -> str:
        """``kaggle``, ``table``, ``fits`` or ``hdf5``."""

    @property
    def where(self) -> str:
        """The table, for messages."""

    @property
    def holds_flux(self) -> bool:
        """Whether its images are flux and not pictures."""

    @property
    def votes(self) -> tuple[str, ...]:
        """Vote columns, in the table's order."""

    @property
    def ignored_columns(self) -> dict[str, str]:
        """Columns that are left out, and why."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Further things that a user should be told."""

    def rows(self) -> Iterator[Galaxy | Refusal]:
        """Yield everything that the survey has a row of."""

    def images_without_row(self) -> Iterator[Refusal]:
        """Yield what is left over once `rows` has ended."""


@dataclass(frozen=True, slots=True)
class Layout:
    """An opened survey: where the fields of a galaxy stand."""

    format: str
    """``kaggle``, ``table`` or ``fits``."""
    table: TableFile
    images: ImageIndex
    id_column: str
    filename: Callable[[list[str]], str]
    """The image's file name, of a row's cells."""
    positions: tuple[str, str] | None
    """The columns of right ascension and declination."""
    votes: tuple[str, ...]
    """Vote columns, in the table's order."""
    ignored_columns: dict[str, str]
    """Columns that are left out, and why."""
    notes: tuple[str, ...]
    """Further things that a user should be told."""
    holds_flux: bool = False
    """Whether the images are flux and not pictures."""
    ebv: str | None = None
    """The column of the Galactic reddening."""

    @property
    def where(self) -> str:
        """The table, for messages."""
        return str(self.table.path)

    def rows(self) -> Iterator[Galaxy | Refusal]:
        """See `read_rows`."""
        return read_rows(self)

    def images_without_row(self) -> Iterator[Refusal]:
        """See `images_without_row`."""
        return images_without_row(self)


def read_rows(layout: Layout) -> Iterator[Galaxy | Refusal]:
    """Yield one `Galaxy` or one `Refusal` for every row of the table, in its order.

    An id in several rows refuses all of them: which is right cannot be known, and the outcome must not depend on
    the order of the rows.

    Raises:
        SurveyError: the table cannot be read to its end.
    """
    repeated = _repeated_ids(layout)
    id_at = layout.table.index(layout.id_column)
    votes_at = [(name, layout.table.index(name)) for name in layout.votes]
    expected = len(layout.table.columns)
    for row in layout.table.rows():
        if len(row.cells) != expected:
            text = f"{len(row.cells)} fields where the header has {expected}"
            yield Refusal("", row.source, "catalog", "field-count", text)
            continue
        identity = row.cells[id_at]
        # The image comes first, so that an image whose row is refused does not also count as one without a row.
        image, no_image = _find_image(layout, row)
        try:
            check_id(identity)
            if identity in repeated:
                raise FieldError("duplicate-id", "stands in more than one row; none is kept")
            if no_image is not None:
                raise FieldError(no_image.reason, no_image.detail)
            ra_deg, dec_deg = _position(layout, row)
            votes = {name: parse_fraction(row.cells[i], name) for name, i in votes_at}
            ebv = None if layout.ebv is None else parse_reddening(row.cells[layout.table.index(layout.ebv)], layout.ebv)
        except FieldError as error:
            yield Refusal(identity, row.source, "catalog", error.reason, error.detail)
        else:
            yield Galaxy(identity, image, ra_deg, dec_deg, votes, ebv)


def images_without_row(layout: Layout) -> Iterator[Refusal]:
    """Yield a `Refusal` for every image that no row has named; to be called after `read_rows` has ended."""
    for reference, refused in layout.images.unasked():
        yield Refusal(PurePosixPath(reference).stem, reference, "catalog", refused.reason, refused.detail)


def _find_image(layout: Layout, row: Row) -> tuple[str, ImageRefusedError | None]:
    try:
        return layout.images.find(layout.filename(row.cells)), None
    except ImageRefusedError as refused:
        return "", refused


def _position(layout: Layout, row: Row) -> tuple[float | None, float | None]:
    if layout.positions is None:
        return None, None
    ra_column, dec_column = layout.positions
    cells = row.cells[layout.table.index(ra_column)], row.cells[layout.table.index(dec_column)]
    return parse_position(cells, (ra_column, dec_column))


def _repeated_ids(layout: Layout) -> set[str]:
    seen: set[str] = set()
    repeated: set[str] = set()
    id_at = layout.table.index(layout.id_column)
    for row in layout.table.rows():
        if len(row.cells) == len(layout.table.columns):
            (repeated if row.cells[id_at] in seen else seen).add(row.cells[id_at])
    return repeated
