"""Follow a project that was moved or copied: MLflow's database holds absolute artifact paths."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

__all__ = ["relocate"]

# Every column of MLflow's tables that holds the address of a file.
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def relocate(database: Path, experiment: str, artifact_root: str) -> None:
    """Rewrite the artifact addresses of a database that lies elsewhere than it was made.

    Without this, a moved project finds none of its models, and a copied one writes into the original.

    Args:
        database: MLflow's sqlite file.
        experiment: The experiment whose artifact location tells where the database was made.
        artifact_root: The address that this location should have.
    """
    with closing(sqlite3.connect(database, timeout=20)) as connection:
        was = _artifact_location(connection, experiment)
        if was is None or was == artifact_root or not _moved(was, artifact_root):
            return
        with connection:
            for table, column in COLUMNS:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ? || '/'",
                    (artifact_root, len(was) + 1, was, len(was) + 1, was),
                )


def _artifact_location(connection: sqlite3.Connection, experiment: str) -> str | None:
    try:
        row = connection.execute("SELECT artifact_location FROM experiments WHERE name = ?", (experiment,)).fetchone()
    except sqlite3.DatabaseError:
        return None  # no database of MLflow: what is wrong with it, MLflow says better
    return None if row is None else str(row[0])


def _moved(was: str, artifact_root: str) -> bool:
    # A location that somebody chose on purpose, such as a bucket or another disk, is left alone.
    return urlparse(was).scheme == "file" and (_folder(artifact_root).is_dir() or not _folder(was).is_dir())


def _folder(uri: str) -> Path:
    return Path(url2pathname(urlparse(uri).path))
