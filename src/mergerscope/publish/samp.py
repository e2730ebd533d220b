"""Hand a table to TOPCAT, Aladin and their like by SAMP (Simple Application Messaging Protocol 1.3)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mergerscope import __version__
from mergerscope.errors import MissingInputError, SampError, TableError
from mergerscope.paths import Paths
from mergerscope.publish.positions import read_positions
from mergerscope.tables.kinds import FORMATS, kind_of

with warnings.catch_warnings():
    # astropy 8 says of its module that it will move to pyvo; while it is here, nobody need know
    warnings.simplefilter("ignore")
    from astropy.samp import SAMPIntegratedClient, conf
    from astropy.samp.errors import SAMPHubError, SAMPProxyError

__all__ = ["run"]

LOAD = {"votable": "table.load.votable", "fits": "table.load.fits"}
POINT = "coord.pointAt.sky"
TIMEOUT_S = "60"
"""A receiver reads the whole table before it answers."""


def run(paths: Paths, table: Path | None, name: str | None, point: bool) -> list[str]:
    """Send a table, by default ``results/rank/top.vot``, to every program that takes it, or to the one called ``name``.

    Returns:
        A line for each receiver.

    Raises:
        MissingInputError: nothing has been ranked.
        TableError: the table is neither VOTable nor FITS, or has no position to point at.
        SampError: no hub runs, nobody at it takes the table, or a program could not load it.
    """
    file = paths.rank_results / "top.vot" if table is None else table
    if table is None and not file.is_file():
        raise MissingInputError(file, "rank")
    kind = kind_of(file)
    if kind not in LOAD:
        raise TableError(f"{file} is {FORMATS[kind]}; by SAMP go VOTable and FITS, such as "
                         "results/rank/candidates.fits.")  # fmt: skip
    place = _first_place(file) if point else None
    told = []
    with _hub() as client:
        receivers = _receivers(client, LOAD[kind], name)
        about = {"url": file.resolve().as_uri(), "table-id": f"mergerscope:{file.resolve()}", "name": file.stem}
        for receiver, called in receivers.items():
            told.append(f"{file} -> {called}{_send(client, receiver, called, LOAD[kind], about)}")
        if place is not None:
            pointed = [other for other in receivers if other in client.get_subscribed_clients(POINT)]
            for receiver in pointed:
                _send(client, receiver, receivers[receiver], POINT, {"ra": str(place[0]), "dec": str(place[1])})
                told.append(f"{receivers[receiver]} points at RA {place[0]:g}, Dec {place[1]:g}")
            if not pointed:
                told.append("no receiver can be pointed at the sky")
    return told


def _first_place(file: Path) -> tuple[float, float]:
    found = read_positions(file)
    if not len(found.placed):
        raise TableError(f"{file} has no row with a position to point at.")
    first = found.placed[0]
    return float(np.round(found.ra_deg[first], 7)), float(np.round(found.dec_deg[first], 7))


@contextmanager
def _hub() -> Iterator[SAMPIntegratedClient]:
    try:
        # astropy would first ask a web page whether there is an internet; hub and programs are on this machine
        with warnings.catch_warnings(), conf.set_temp("use_internet", False):
            warnings.simplefilter("ignore")  # about the lock file of a hub that has died, which the error tells too
            client = SAMPIntegratedClient(
                name="mergerscope", metadata={"mergerscope.version": __version__}, callable=False
            )
            client.connect()
    except (SAMPHubError, SAMPProxyError, OSError) as error:
        raise SampError(f"no SAMP hub answers ({error}). Start TOPCAT or Aladin, then send again.") from None
    try:
        yield client
    finally:
        client.disconnect()


def _receivers(client: SAMPIntegratedClient, mtype: str, name: str | None) -> dict[str, str]:
    """Return the programs at the hub that take the message: their names by their ids."""
    takers = {one: _called(client, one) for one in client.get_subscribed_clients(mtype)}
    wanted = takers if name is None else {
        one: called for one, called in takers.items() if name.lower() in (called.lower(), one.lower())
    }  # fmt: skip
    if wanted:
        return wanted
    there = [_called(client, one) for one in client.get_registered_clients()]
    others = ", ".join(sorted(there)) or "nobody"
    whom = "no program" if name is None else f"no program called {name!r}"
    raise SampError(f"{whom} at the SAMP hub takes {mtype}; at the hub: {others}.")


def _called(client: SAMPIntegratedClient, one: str) -> str:
    metadata: dict[str, Any] = client.get_metadata(one)
    return str(metadata.get("samp.name", one))


def _send(client: SAMPIntegratedClient, receiver: str, called: str, mtype: str, about: dict[str, str]) -> str:
    """Return what a receiver remarks that has done as it was told, "" for nothing."""
    try:
        answer = client.call_and_wait(receiver, {"samp.mtype": mtype, "samp.params": about}, TIMEOUT_S)
    except SAMPProxyError as error:
        raise SampError(f"{called} has not answered to {mtype} within {TIMEOUT_S} s: {error.faultString}") from None
    remark = answer.get("samp.error", {}).get("samp.errortxt", "it does not say why")
    if answer.get("samp.status") == "samp.error":
        raise SampError(f"{called} has not done {mtype}: {remark}")
    return "" if answer.get("samp.status") == "samp.ok" else f" (with a warning: {remark})"
