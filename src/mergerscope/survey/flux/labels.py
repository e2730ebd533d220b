"""A survey whose galaxies are its images, with a table beside them that says something of some.

``labels.csv`` (or ``labels.parquet``, ``catalog.csv``, ``catalog.parquet``) has ``id`` and vote columns, and where the
images have none themselves ``ra_deg``, ``dec_deg`` and ``ebv``. A galaxy without a row there has no votes: nobody has
said anything of it. A row whose galaxy is not there is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mergerscope.errors import SurveyError
from mergerscope.survey.fields import FieldError, check_id, parse_fraction, parse_position, parse_reddening
from mergerscope.survey.records import Galaxy, Refusal
from mergerscope.survey.rows import TableFile
from mergerscope.survey.votes import find_vote_columns

__all__ = ["LABELS", "Labelled", "Source", "open_labelled"]

LABELS = ("labels.csv", "labels.parquet", "catalog.csv", "catalog.parquet")
ID_COLUMN = "id"
POSITIONS = ("ra_deg", "dec_deg")
REDDENING = "ebv"


@dataclass(frozen=True, slots=True)
class Source:
    """The images of a survey."""

    items: Callable[[], Iterator[Galaxy | Refusal]]
    """Every galaxy, without votes, or why it is left out; may be asked twice and then gives the same."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Labelled:
    """An opened survey of images and labels; see `layout.OpenSurvey`."""

    format: str
    table: TableFile
    source: Source
    votes: tuple[str, ...]
    ignored_columns: dict[str, str]
    positions: bool
    reddening: bool
    holds_flux: bool = True

    @property
    def where(self) -> str:
        """The table, for messages."""
        return str(self.table.path)

    @property
    def notes(self) -> tuple[str, ...]:
        """Further things that a user should be told."""
        return self.source.notes

    def rows(self) -> Iterator[Galaxy | Refusal]:
        """Yield every image as a galaxy or a refusal, then a refusal of each label that belongs to none of them."""
        labels, refused = self._labels()
        repeated = _repeated(self.source.items())
        for item in self.source.items():
            if isinstance(item, Refusal):
                refused.pop(item.id, None)
                labels.pop(item.id, None)
                yield item
            elif item.id in repeated:
                labels.pop(item.id, None)
                refused.pop(item.id, None)
                detail = "is the id of more than one image; none is kept"
                yield Refusal(item.id, item.image, "catalog", "duplicate-id", detail)
            elif item.id in refused:
                yield refused.pop(item.id)
            else:
                yield _joined(item, labels.pop(item.id, None), self.votes)
        yield from refused.values()
        for identity, label in labels.items():
            yield Refusal(identity, label.source, "catalog", "no-image", "no image has this id")

    def images_without_row(self) -> Iterator[Refusal]:
        """Yield nothing: every image is a galaxy."""
        return iter(())

    def _labels(self) -> tuple[dict[str, _Label], dict[str, Refusal]]:
        """Return the labels by id, and the rows that are none; of an id in several rows, the first and a refusal."""
        labels: dict[str, _Label] = {}
        refused: dict[str, Refusal] = {}
        id_at = self.table.index(ID_COLUMN)
        for row in self.table.rows():
            if len(row.cells) != len(self.table.columns):
                text = f"{len(row.cells)} fields where the header has {len(self.table.columns)}"
                # by its place: such a row has no id to be found by
                refused[f"\0{row.source}"] = Refusal("", row.source, "catalog", "field-count", text)
                continue
            identity = row.cells[id_at]
            if identity in labels or identity in refused:
                labels.pop(identity, None)
                text = "stands in more than one row; none is kept"
                refused[identity] = Refusal(identity, row.source, "catalog", "duplicate-id", text)
                continue
            try:
                labels[identity] = self._label(row.source, row.cells)
            except FieldError as error:
                refused[identity] = Refusal(identity, row.source, "catalog", error.reason, error.detail)
        return labels, refused

    def _label(self, source: str, cells: list[str]) -> _Label:
        place: tuple[float | None, float | None] = (None, None)
        if self.positions:
            ra_at, dec_at = (self.table.index(name) for name in POSITIONS)
            place = parse_position((cells[ra_at], cells[dec_at]), POSITIONS)
        ebv = parse_reddening(cells[self.table.index(REDDENING)], REDDENING) if self.reddening else None
        votes = tuple(parse_fraction(cells[self.table.index(name)], name) for name in self.votes)
        return _Label(source, votes, *place, ebv)


@dataclass(frozen=True, slots=True)
class _Label:
    source: str
    votes: tuple[float | None, ...]
    ra_deg: float | None
    dec_deg: float | None
    ebv: float | None


def open_labelled(root: Path, target: str, survey_format: str, source: Source) -> Labelled:
    """Open the survey of ``source`` with the labels at ``root``.

    Raises:
        SurveyError: there are no labels, or they have no column ``id`` or no target column.
    """
    here = [name for name in LABELS if (root / name).is_file()]
    if not here:
        raise SurveyError(
            f"{root} has images and no table. The known mergers must be told: put a labels.csv there with the columns "
            f"`id` and `{target}` (target.column in params.yaml), 1 for a merger, 0 for none; galaxies that it leaves "
            "out count as unlabelled."
        )
    table = TableFile(root / here[0])
    if ID_COLUMN not in table.columns:
        raise SurveyError(f"{table.path} has no column {ID_COLUMN!r}; it has: {', '.join(table.columns)}.")
    found = find_vote_columns(table, target, taken=(ID_COLUMN, "filename", *POSITIONS, REDDENING))
    positions = all(name in table.columns for name in POSITIONS)
    ignored = dict(found.ignored)
    if not positions:
        half = "half a position: ra_deg and dec_deg go together"
        ignored |= {name: half for name in POSITIONS if name in table.columns}
    return Labelled(survey_format, table, source, found.names, ignored, positions, REDDENING in table.columns)


def _repeated(items: Iterator[Galaxy | Refusal]) -> set[str]:
    seen: set[str] = set()
    repeated: set[str] = set()
    for item in items:
        if isinstance(item, Galaxy):
            (repeated if item.id in seen else seen).add(item.id)
    return repeated


def _joined(galaxy: Galaxy, label: _Label | None, votes: tuple[str, ...]) -> Galaxy | Refusal:
    try:
        check_id(galaxy.id)
    except FieldError as error:
        return Refusal(galaxy.id, galaxy.image, "catalog", error.reason, error.detail)
    if label is None:
        return Galaxy(galaxy.id, galaxy.image, galaxy.ra_deg, galaxy.dec_deg, dict.fromkeys(votes), galaxy.ebv)
    ra_deg, dec_deg = (label.ra_deg, label.dec_deg) if label.ra_deg is not None else (galaxy.ra_deg, galaxy.dec_deg)
    ebv = galaxy.ebv if label.ebv is None else label.ebv
    return Galaxy(galaxy.id, galaxy.image, ra_deg, dec_deg, dict(zip(votes, label.votes, strict=True)), ebv)
