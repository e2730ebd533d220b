"""The verb `search` of the command line; imports nothing heavy, for help must come at once."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from mergerscope.paths import Paths
from mergerscope.publish.radius import RadiusType
from mergerscope.query.request import Request

__all__ = ["search"]


@click.command()
@click.option("--id", "ids", multiple=True, metavar="ID", help="A galaxy of the survey; may be given several times.")
@click.option("--image", "images", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="A JPEG or PNG, in a survey of flux a FITS file (of files of one band each, any), or a folder of "
              "them; may be given several times.")  # fmt: skip
@click.option("--position", "positions", multiple=True, metavar='"RA DEC"',
              help='ICRS, as "150.1163 2.2058" in degrees or "10:00:27.9 +02:12:21"; may be given several times.')
@click.option("--radius", type=RadiusType(), default="10arcsec", show_default=True, metavar="ANGLE",
              help="How far from --position its galaxy may be, with its unit.")  # fmt: skip
@click.option("--field", type=click.FloatRange(0, 1, min_open=True), metavar="FRACTION",
              help="Side of the central square of each --image that is looked at, as a fraction of its shorter side. "
              "It should show about as many radii of the galaxy as the survey's cutouts. By default several, of .2 to "
              ".7, are tried, and their mean counts; of FITS files what the survey's show of the sky.")  # fmt: skip
@click.option("--top", type=click.IntRange(min=1), default=24, show_default=True, help="Galaxies to find.")
@click.option("--index", type=click.Choice(["ivf", "hnsw"]),
              help="Search an index instead of every galaxy. It is made once, and tells which share of the nearest "
              "galaxies it finds.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Folder of the table and the contact sheet.  [default: results/search]")  # fmt: skip
@click.pass_obj
def search(
    place: tuple[Paths, Path], ids: tuple[str, ...], images: tuple[Path, ...], positions: tuple[str, ...],
    radius: float, field: float | None, top: int, index: str | None, out: Path | None,
) -> None:
    """Find the galaxies of the survey that are most like others: by id, by position, or by their pictures.

    Writes similar.csv, similar.parquet and the contact sheet similar.png, the queries first. Several queries are one
    set of examples: a galaxy is ranked by its mean likeness to that half of them which it is most like. Run
    `mergerscope embed`, or `dvc repro`, before.
    """
    if not (ids or images or positions):
        raise click.UsageError("Name what to look for: --id, --image or --position.")
    from mergerscope.params import load_params

    paths, params_file = place
    request = Request(ids, images, positions, radius, field, top, index, out)
    importlib.import_module("mergerscope.query.run").run(paths, load_params(params_file), request)
