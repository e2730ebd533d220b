"""What a folder of cutouts holds: a checksum a file, and the request that all of them answer."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from mergerscope.errors import SurveyError
from mergerscope.fetch.request import Cutouts
from mergerscope.fetch.targets import Target
from mergerscope.fetch.trouble import NOT_TRIED, FetchError
from mergerscope.files import NEW, replacing, write_text

__all__ = ["Ledger", "alone_in"]

IMAGES = "images"
MANIFEST = "manifest.csv"
REQUEST = "fetch.json"
LOCK = ".fetch.lock"
COLUMNS = ["id", "ra_deg", "dec_deg", "bytes", "sha256"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One whole file."""

    ra_deg: str
    dec_deg: str
    size: str
    sha256: str


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Hold the folder, so that two runs do not write into it at once; the system lets go of it at any death.

    Raises:
        SurveyError: another run is at work there.
    """
    out.mkdir(parents=True, exist_ok=True)
    with (out / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SurveyError(f"another `mergerscope fetch` is at work in {out}. Wait for it, or end it.") from None
        yield


class Ledger:
    """The whole files of one folder. A line is added when a file stands under its name; a torn line is none."""

    def __init__(self, out: Path, asked: Cutouts) -> None:
        """Read what is there.

        Raises:
            SurveyError: the folder's files answer another request.
        """
        self.out = out
        self._asked = asked
        self._check_request()
        self._entries = dict(_read(out / MANIFEST))
        self._file: TextIO | None = None
        self._lock = threading.Lock()
        self._closed = False
        for unfinished in (out / IMAGES).glob(f"*{NEW}"):
            unfinished.unlink()

    def path(self, identity: str) -> Path:
        """Return where a galaxy's file stands, or would."""
        return self.out / self.filename(identity)

    def filename(self, identity: str) -> str:
        """Return the same, relative to the folder."""
        return f"{IMAGES}/{identity}.{self._asked.file_format}"

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, identity: object) -> bool:
        """Tell whether a galaxy's file was written, of whatever position."""
        return identity in self._entries

    def has(self, target: Target) -> bool:
        """Tell whether a galaxy's file was written, of this very position."""
        entry = self._entries.get(target.id)
        return entry is not None and (entry.ra_deg, entry.dec_deg) == (repr(target.ra_deg), repr(target.dec_deg))

    def is_whole(self, target: Target) -> bool:
        """Tell whether that file is there with the bytes that it had when it came."""
        if not self.has(target):
            return False
        try:
            data = self.path(target.id).read_bytes()
        except FileNotFoundError:
            return False
        return hashlib.sha256(data).hexdigest() == self._entries[target.id].sha256

    def store(self, target: Target, data: bytes) -> None:
        """Write the file, new-then-rename, and note it; several threads may do so for different galaxies.

        Raises:
            FetchError: the run has ended meanwhile, and the lists are written.
        """
        path = self.path(target.id)
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_name(path.name + NEW)
        fresh.write_bytes(data)
        entry = Entry(repr(target.ra_deg), repr(target.dec_deg), str(len(data)), hashlib.sha256(data).hexdigest())
        with self._lock:
            if self._closed:
                fresh.unlink()
                raise FetchError(NOT_TRIED, "the run was ended before it came", again=True)
            fresh.replace(path)
            self._note(target.id, entry)

    def drop(self, identity: str) -> None:
        """Remove a file that is not what it should be, if there is one: an image without a row would be refused."""
        with self._lock:
            self._entries.pop(identity, None)
            self.path(identity).unlink(missing_ok=True)

    def close(self) -> None:
        """Write the manifest anew, one line a file, by id; nothing can be stored any more."""
        with self._lock:
            self._closed = True
            if self._file is not None:
                self._file.close()
            self._write_manifest()

    def _note(self, identity: str, entry: Entry) -> None:
        if self._file is None:
            write_text(self.out / REQUEST, json.dumps(asdict(self._asked), indent=1) + "\n")
            self._write_manifest()
            self._file = (self.out / MANIFEST).open("a", encoding="utf-8", newline="")
        csv.writer(self._file, lineterminator="\n").writerow(_line(identity, entry))
        self._file.flush()
        self._entries[identity] = entry

    def _write_manifest(self) -> None:
        with replacing(self.out / MANIFEST) as fresh, fresh.open("w", encoding="utf-8", newline="") as text:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(_line(identity, self._entries[identity]) for identity in sorted(self._entries))

    def _check_request(self) -> None:
        path = self.out / REQUEST
        if not path.is_file():
            return
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SurveyError(f"{path} is damaged ({error}). Remove it if you know what {self.out} holds.") from None
        # The same survey from a mirror is the same.
        other = [f"{name} {there.get(name)!r}, asked for {value!r}" for name, value in asdict(self._asked).items()
                 if name != "server" and there.get(name) != value]  # fmt: skip
        if other:
            raise SurveyError(f"{self.out} holds other cutouts: {'; '.join(other)}. Give another --out.")


def _line(identity: str, entry: Entry) -> list[str]:
    return [identity, entry.ra_deg, entry.dec_deg, entry.size, entry.sha256]


def _read(path: Path) -> Iterator[tuple[str, Entry]]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8", newline="") as text:
        for cells in csv.reader(text):
            if len(cells) == len(COLUMNS) and len(cells[-1]) == hashlib.sha256().digest_size * 2:
                yield cells[0], Entry(*cells[1:])
