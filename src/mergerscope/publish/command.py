"""The options of `rank` around its list, and the verb `samp`; imports nothing heavy, for help must come at once."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from mergerscope.publish.radius import RadiusType

__all__ = ["samp", "with_crossmatch"]

HELP = """

With --crossmatch the list is matched with lists of others, such as of known mergers, and results/crossmatch/ tells
what is in both, in theirs alone and in ours alone. A ranking that belongs to the present catalogue, embeddings and
settings is used as it is; else galaxies are ranked first. Their tables are CSV, ECSV, FITS, VOTable or Parquet, with
positions found by UCD or by names such as ra and RAJ2000, in ICRS or in what the file declares."""

DEFAULT_RADIUS = 3.0


def with_crossmatch(rank: click.Command) -> click.Command:
    """Return the verb `rank` with the options that match its list with lists of others."""

    @click.command("rank", help=(rank.help or "") + HELP)
    @click.option("--crossmatch", "files", multiple=True, metavar="FILE",
                  type=click.Path(path_type=Path, dir_okay=False),
                  help="A table with positions; may be given several times.")  # fmt: skip
    @click.option("--radius", type=RadiusType(), help="Of a match, with its unit.  [default: 3arcsec]")
    @click.pass_context
    def command(ctx: click.Context, files: tuple[Path, ...], radius: float | None) -> None:
        if not files:
            if radius is not None:
                raise click.UsageError("--radius goes with --crossmatch FILE.", ctx)
            ctx.invoke(rank)
            return
        # Their tables first: a slip in a name should not wait for a ranking.
        from mergerscope.params import load_params
        from mergerscope.publish.made_from import is_current
        from mergerscope.publish.positions import read_positions

        paths, params_file = ctx.obj
        params = load_params(params_file)
        lists = [read_positions(file) for file in files]
        if not is_current(paths, params):
            click.echo("rank: no list yet, or of other embeddings or settings: ranking first", err=True)
            ctx.invoke(rank)
        run = importlib.import_module("mergerscope.publish.run_crossmatch").run
        for line in run(paths, lists, radius or DEFAULT_RADIUS, params.rank.top):
            click.echo(line)

    return command


@click.command()
@click.option("--table", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="VOTable or FITS table to send.  [default: results/rank/top.vot]")  # fmt: skip
@click.option("--client", metavar="NAME", help="Send to this program alone, such as topcat or aladin.")
@click.option("--point", is_flag=True, help="Also point the programs at the first galaxy of the table.")
@click.pass_obj
def samp(place: tuple[object, Path], table: Path | None, client: str | None, point: bool) -> None:
    """Send the best candidates to TOPCAT, Aladin or any program that runs and takes tables by SAMP.

    Start that program before: TOPCAT and Aladin bring the hub along through which programs meet.
    """
    run = importlib.import_module("mergerscope.publish.samp").run
    for line in run(place[0], table, client, point):
        click.echo(line)
