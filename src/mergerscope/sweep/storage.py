"""Where a study is kept: a journal file, or a database that is named by its address."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from mergerscope.errors import SweepError

__all__ = ["open_storage", "storage_errors"]

CONNECT_S = 15
"""So long a database may take to answer."""
ATTEMPTS, SETTLE_S = 5, 1.0
"""At an empty database, when another process is making its tables, and the pause between two."""
SERVERS = ("postgresql", "mysql", "mariadb")


class _Lock(JournalFileOpenLock):
    """A lock on the journal itself, which the system releases when its holder is killed.

    Optuna's own is a file that outlives its maker, and makes the next one wait for half a minute. Who has the lock also
    cuts off the line that a full disk or a broken machine left unfinished: the next one would be glued to it, and the
    journal could never be read again.
    """

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self._journal = journal
        self._file: int | None = None

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._file = os.open(self._journal, os.O_RDWR)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        _cut_unfinished(self._file)
        return True

    def release(self) -> None:
        """Let others write."""
        assert self._file is not None
        os.close(self._file)
        self._file = None


def _cut_unfinished(file: int) -> None:
    size = os.fstat(file).st_size
    if not size or os.pread(file, 1, size - 1) == b"\n":
        return
    tail = os.pread(file, size, 0)
    os.ftruncate(file, tail.rfind(b"\n") + 1)


def open_storage(where: str | None, journal: Path) -> BaseStorage:
    """Open, and make where it is missing, the storage of a study.

    Args:
        where: the address of a database (``postgresql+psycopg://...``, ``mysql+pymysql://...``), the path of a journal
            file, or None.
        journal: the file that None stands for.

    Raises:
        SweepError: it cannot be reached, or is no such thing.
    """
    place = where or str(journal)
    try:
        return _database(place) if "://" in place else _journal(Path(place).absolute())
    except (SQLAlchemyError, StorageInternalError, ImportError, OSError, ValueError, KeyError) as error:
        raise SweepError(_told(place, error)) from error


@contextmanager
def storage_errors(where: str) -> Iterator[None]:
    """Say of a database that fails in the midst of the work which one it is, and what to do."""
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        raise SweepError(_told(where, error)) from error
    except OSError as error:
        if error.filename is None or str(error.filename) != str(Path(where).absolute()):
            raise
        raise SweepError(_told(where, error)) from error


def _journal(path: Path) -> BaseStorage:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Opened for writing at once: a journal that can only be read is of no use.
    path.open("ab").close()
    return JournalStorage(JournalFileBackend(str(path), lock_obj=_Lock(path)))


def _database(address: str) -> BaseStorage:
    url = make_url(address)
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.get_backend_name() in SERVERS:
        # Of psycopg and of MySQL's drivers alike; without it, a wrong address costs minutes.
        options["connect_args"] = {"connect_timeout": CONNECT_S}
    for _ in range(ATTEMPTS - 1):
        try:
            return RDBStorage(address, engine_kwargs=options)
        except SQLAlchemyError as error:
            # Two sweeps that come first to an empty database make its tables at once, and one finds them there.
            if not re.search("already exists|duplicate", str(error), re.IGNORECASE):
                raise
            time.sleep(SETTLE_S)
    return RDBStorage(address, engine_kwargs=options)


def _told(where: str, error: Exception) -> str:
    if "://" not in where:
        return f"The journal {where} of the study cannot be used: {error}. Is it a file that can be written?"
    try:
        shown = make_url(where).render_as_string(hide_password=True)
    except SQLAlchemyError:
        shown = where.partition("://")[0] + "://..."
    if isinstance(error, ImportError):
        return (
            f"The storage {shown} needs a driver that is not installed ({error}). For PostgreSQL install "
            "psycopg[binary] and write postgresql+psycopg://..., for MySQL PyMySQL and write mysql+pymysql://..."
        )
    root: BaseException = error
    while root.__cause__ is not None:
        root = root.__cause__
    reason = str(getattr(root, "orig", root)).strip()
    return f"The storage {shown} of the study cannot be used: {reason}. Check the address, and that the server runs."
