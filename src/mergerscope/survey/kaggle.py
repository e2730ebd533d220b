"""The Galaxy Zoo challenge as Kaggle hands it out.

``training_solutions_rev1.csv`` (or its ``.zip``) holds ``GalaxyID`` and 37 vote fractions, ``Class1.1`` to
``Class11.6``: the answers of Willett et al. (2013, arXiv:1308.3496) multiplied down the decision tree, so that an
answer's value is the share of all who looked. ``images_training_rev1/`` (or its ``.zip``) holds ``<GalaxyID>.jpg``.
"""

from __future__ import annotations

from pathlib import Path

from mergerscope.errors import SurveyError
from mergerscope.survey.layout import Layout
from mergerscope.survey.places import ImageIndex, index_folder, index_zip
from mergerscope.survey.rows import TableFile
from mergerscope.survey.votes import check_target

__all__ = ["IMAGES", "SOLUTIONS", "VOTE_COLUMNS", "open_kaggle"]

IMAGES = "images_training_rev1"
SOLUTIONS = "training_solutions_rev1"
ID_COLUMN = "GalaxyID"

ANSWERS = (3, 2, 2, 2, 4, 2, 3, 7, 3, 3, 6)  # of questions 1 to 11
VOTE_COLUMNS = tuple(
    f"Class{question}.{answer}" for question, count in enumerate(ANSWERS, start=1) for answer in range(1, count + 1)
)
"""All 37, in Kaggle's order; ``Class8.6`` is "merger"."""


def open_kaggle(root: Path, target: str) -> Layout:
    """Open the Kaggle layout at ``root``; where a thing is there both unpacked and zipped, unpacked wins.

    Raises:
        SurveyError: a part or a column is missing.
    """
    notes: list[str] = []
    table = TableFile(_one_of(root, f"{SOLUTIONS}.csv", f"{SOLUTIONS}.zip", notes))
    missing = [name for name in (ID_COLUMN, *VOTE_COLUMNS) if name not in table.columns]
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise SurveyError(f"{table.path} lacks {len(missing)} of Kaggle's 38 columns: {shown}. For another table, "
                          "name it catalog.csv and give it the columns id and filename.")  # fmt: skip
    check_target(target, VOTE_COLUMNS, table.name)
    place = _one_of(root, IMAGES, f"{IMAGES}.zip", notes)
    id_at = table.index(ID_COLUMN)
    return Layout(
        format="kaggle",
        table=table,
        images=_index(root, place),
        id_column=ID_COLUMN,
        filename=lambda cells: f"{cells[id_at]}.jpg",
        positions=None,
        votes=VOTE_COLUMNS,
        ignored_columns={
            name: "not one of Kaggle's" for name in table.columns if name not in (ID_COLUMN, *VOTE_COLUMNS)
        },
        notes=tuple(notes),
    )


def _index(root: Path, place: Path) -> ImageIndex:
    return (index_zip if place.is_file() else index_folder)(root, place.name, ImageIndex)


def _one_of(root: Path, unpacked: str, packed: str, notes: list[str]) -> Path:
    if (root / unpacked).exists():
        if (root / packed).exists():
            notes.append(f"{packed} was not read, for {unpacked} is there too")
        return root / unpacked
    if (root / packed).exists():
        return root / packed
    raise SurveyError(f"{root} has neither {unpacked} nor {packed}. Download both parts from Kaggle's page of the "
                      "Galaxy Zoo challenge and put them there.")  # fmt: skip
