"""The verb `sweep` of the command line; imports nothing heavy, for help must come at once."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from mergerscope.paths import Paths

__all__ = ["sweep"]


@click.group(invoke_without_command=True)
@click.option("--study", metavar="NAME", help="What the sweep is called; its folder is sweeps/NAME.")
@click.option("--trials", type=click.IntRange(min=1), default=20, show_default=True, help="Of the study in all.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True,
              help="Trainings at once on this machine; they share its cores.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
              help="Stop after so long; --resume takes up what was running.")  # fmt: skip
@click.option("--storage", metavar="URL", help="A database such as postgresql+psycopg://user@host/name, or a "
              "journal file; by default sweeps/NAME/journal.log.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with a study after a kill, or join it from another machine.")
@click.pass_context
def sweep(
    ctx: click.Context, study: str | None, trials: int, workers: int, timeout: float | None, storage: str | None,
    resume: bool,
) -> None:
    """Search for better settings: those in `sweep.space` of params.yaml, by recall on references only.

    The present settings are the first trial, so a sweep never ends worse than it began. Run `dvc repro shard` before.
    `mergerscope sweep apply NAME` then writes the best values into params.yaml.
    """
    if ctx.invoked_subcommand is not None:
        return
    if study is None:
        raise click.UsageError("Missing option '--study': name the sweep, as in --study first.", ctx)
    # What can be wrong is looked for before anything heavy is loaded.
    from mergerscope.params import load_params
    from mergerscope.sweep.request import Request
    from mergerscope.sweep.space import check_space

    paths, params_file = ctx.obj
    request = Request(study, trials, workers, timeout, storage, resume)
    params = load_params(params_file)
    check_space(params)
    importlib.import_module("mergerscope.sweep.run").run(paths, params, request)


@sweep.command(short_help="Write the best values of a sweep into params.yaml.")
@click.argument("name")
@click.pass_obj
def apply(place: tuple[Paths, Path], name: str) -> None:
    """Write the best values of the sweep NAME into params.yaml; `dvc repro` then trains with them."""
    paths, params_file = place
    changes = importlib.import_module("mergerscope.sweep.apply").apply(paths, name, params_file)
    for change in changes:
        click.echo(f"{change.name}: {change.before} -> {change.after}")
    click.echo(f"{len(changes)} changed in {params_file}; `dvc repro` trains with them." if changes else
               f"{params_file} has these values already.")  # fmt: skip
