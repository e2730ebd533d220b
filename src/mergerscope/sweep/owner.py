"""Which process works at a trial, and whether it still lives."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from platform import node
from typing import Any

from optuna.trial import FrozenTrial

__all__ = ["PATIENCE_S", "Watch", "owner"]

PATIENCE_S = 120.0
"""So long may a trial on another machine give no sign of life."""


def owner() -> dict[str, Any]:
    """Return the user attributes by which this process is found to be alive, or dead."""
    return {"host": node(), "pid": os.getpid(), "machine": _machine(), "born": _born(os.getpid())}


class Watch:
    """Tells which running trials have lost their process.

    On this machine the process itself is looked for. Elsewhere a trial must give signs of life; they are timed by the
    observer's own clock, for those of two machines may differ.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[int, tuple[Any, float]] = {}

    def lost(self, trial: FrozenTrial) -> str:
        """Return why a running trial must be given up, or an empty string."""
        attrs = trial.user_attrs
        where = attrs.get("host", "an unknown machine")
        if attrs.get("machine") == _machine():
            return "" if _lives(attrs) else f"its sweep on {where} was killed"
        sign, now = (attrs.get("alive"), trial.last_step, len(trial.params)), self._clock()
        seen, since = self._seen.setdefault(trial.number, (sign, now))
        if seen != sign:
            self._seen[trial.number] = sign, now
            return ""
        return f"no sign of life from its sweep on {where} for {PATIENCE_S:.0f} s" if now - since > PATIENCE_S else ""


def _lives(attrs: Mapping[str, Any]) -> bool:
    return _born(int(attrs["pid"])) == attrs.get("born")


def _machine() -> str:
    """Return what is different where the numbers of processes are: another machine, container, or start of it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{node()}/{uuid.getnode():x}"


def _born(pid: int) -> str:
    """Return when a process began, in the system's own words; empty where there is none or it is a mere zombie."""
    if Path("/proc/self/stat").exists():
        try:
            # The name, in parentheses, may hold anything.
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]
    said = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, began = said.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else began.strip()
