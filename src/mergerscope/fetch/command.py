"""The verb `fetch` of the command line; imports nothing heavy, for help must come at once."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

__all__ = ["fetch"]


@click.command()
@click.option("--catalog", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="TABLE",
              help="CSV, ECSV, Parquet, FITS table or VOTable with id, ra and dec.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR",
              help="Folder of the survey: catalog.csv, images/, failed.csv.")  # fmt: skip
@click.option("--layer", default="ls-dr10", show_default=True, help="Of the viewer, such as ls-dr9 or sdss.")
@click.option("--bands", default="grz", show_default=True, help="A letter a band.")
@click.option("--size", type=click.IntRange(1, 3000), default=152, show_default=True, help="Pixels a side.")
@click.option("--pixscale", type=click.FloatRange(0, min_open=True), default=0.262, show_default=True,
              help="Arcseconds a pixel.")  # fmt: skip
@click.option("--format", "file_format", type=click.Choice(["fits", "jpg"]), default="fits", show_default=True,
              help="Flux, or pictures in colour.")  # fmt: skip
@click.option("--server", metavar="URL", help="A mirror of the viewer; what stands before /cutout.fits.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), default=2.0, show_default=True,
              help="Requests a second, of all workers together.")  # fmt: skip
@click.option("--retries", type=click.IntRange(min=0), default=5, show_default=True,
              help="Further attempts for a galaxy, with longer and longer waits.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=60.0, show_default=True,
              metavar="SECONDS", help="For the connection, and for each pause in an answer.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 64), default=4, show_default=True, help="Connections.")
def fetch(
    catalog: Path, out: Path, layer: str, bands: str, size: int, pixscale: float, file_format: str,
    server: str | None, rate: float, retries: int, timeout: float, workers: int,
) -> None:
    """Fetch cutouts by position from the Legacy Survey viewer into a survey folder.

    What is there and whole is not fetched again, so the same command goes on after Ctrl-C. What failed stands in
    DIR/failed.csv with reasons; give that as --catalog to try it again. Then set `survey.root` to DIR.
    """
    from mergerscope.fetch.pace import Pace
    from mergerscope.fetch.request import SERVER, Cutouts

    asked = Cutouts(layer, bands, size, pixscale, file_format, server or SERVER)
    pace = Pace(rate, retries, timeout)
    done = importlib.import_module("mergerscope.fetch.run").fetch(catalog, out, asked, pace, workers)
    there = f"{done.there} {'was' if done.there == 1 else 'were'} there"
    click.echo(f"{done.new} fetched, {there}, {sum(done.failed.values())} failed: {out}")
    for reason, count in done.failed.items():
        click.echo(f"  {count} x {reason}")
    if done.failed:
        click.echo(f"try them again with --catalog {out / 'failed.csv'}")
