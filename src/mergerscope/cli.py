"""The command line: one verb a stage, and a few around the graph.

Nothing heavy is imported before a verb runs, so that help comes at once. `mergerscope.errors` become a message and
an exit code; any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

import ast
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import click

from mergerscope import __version__
from mergerscope.errors import MergerscopeError
from mergerscope.fetch.command import fetch
from mergerscope.importing.command import import_embeddings
from mergerscope.paths import Paths, find_root
from mergerscope.publish.command import samp, with_crossmatch
from mergerscope.query.command import search
from mergerscope.sweep.command import sweep

__all__ = ["STAGES", "cli", "main"]

STAGES = ("catalog", "shard", "train", "register", "embed", "evaluate", "rank", "report")
"""The verbs that are nodes of the graph, in its order; each is a file in ``stages/``."""

SENTENCE = 500
"""Characters, more than any verb's first sentence has."""

INTERRUPTED = 130
"""What a shell expects of a program ended by Ctrl-C."""


class _Verbs(click.Group):
    """The commands below, after one for each stage that is made from its file without importing it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(dict.fromkeys([*STAGES, *self.commands]))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        return _stage_command(cmd_name) if own is None and cmd_name in STAGES else own

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Give each verb its whole first sentence, in as many lines as it takes."""
        verbs = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.get_short_help_str(SENTENCE)) for name, verb in verbs if verb is not None])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = get_close_matches(args[0], self.list_commands(ctx), n=1)
        if near and near[0] != args[0]:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, no_args_is_help=True
)
@click.version_option(__version__, package_name="mergerscope")
@click.option(
    "--params",
    "params_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings to use instead of the project's params.yaml.",
)
@click.pass_context
def cli(ctx: click.Context, params_file: Path | None) -> None:
    """Find galaxy mergers in any imaging survey from a handful of examples.

    `dvc repro` runs every stage whose inputs have changed; a verb runs one stage. The project is the nearest folder
    at or above the working directory that holds a params.yaml.
    """
    paths = Paths(find_root())
    ctx.obj = (paths, params_file or paths.params)


def _stage_command(name: str) -> click.Command:
    def run(place: tuple[Paths, Path]) -> None:
        # The settings first: a typing error should not wait for torch to load.
        from mergerscope.params import load_params

        paths, params_file = place
        params = load_params(params_file)
        importlib.import_module(f"mergerscope.stages.{name}").run(paths, params)

    return click.Command(name, callback=click.pass_obj(run), help=_stage_help(name))


def _stage_help(name: str) -> str:
    """Return the docstring of the stage's `run`, read from the source: importing it would load torch."""
    source = Path(__file__).with_name("stages") / f"{name}.py"
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == "run":
            # Google-style sections say what a caller in Python must know
            told = (ast.get_docstring(node) or "").split("\nArgs:")[0].split("\nRaises:")[0]
            return told.replace("``", "`")
    raise AttributeError(f"{source} has no function run")


@cli.command()
@click.option("--galaxies", type=click.IntRange(min=1), default=3000, show_default=True, help="How many.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of everything that is drawn.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("data"), show_default=True, help="Folder."
)
@click.option(
    "--merger-fraction", type=click.FloatRange(0, 1), default=0.055, show_default=True,
    help="Share of encounters, of which volunteers recognise less than half.",
)
@click.option("--size", type=click.IntRange(16, 2048), default=128, show_default=True, help="Pixels a side.")
@click.option(
    "--survey", type=click.Choice(["sdss", "legacy", "hsc"]), default="sdss", show_default=True, help="Telescope."
)
@click.option(
    "--format", "file_format", type=click.Choice(["table", "fits"]), default="table", show_default=True,
    help="JPEGs of 8.48 petroR90 in a zip, or a FITS file a galaxy, in the survey's own pixels.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=os.cpu_count() or 1, show_default="one a core", help="Processes."
)
def simulate(
    galaxies: int, seed: int, out: Path, merger_fraction: float, size: int, survey: str, file_format: str, workers: int
) -> None:
    """Write a survey of made-up galaxies, some of them merging, with votes and the truth.

    It replaces catalog.csv, images.zip and images/ in the folder once all is made; an images/ with other files than a
    simulated survey's is refused.
    """
    from mergerscope.simulate.write import Recipe, simulate_survey

    what = Recipe(
        seed=seed, survey=survey, file_format=file_format, side_px=size, merger_fraction=merger_fraction
    )
    simulate_survey(out, galaxies, what, workers)


@cli.command()
@click.option("--mergers", type=click.IntRange(min=1), default=600, show_default=True, help="How many to inject.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of everything that is drawn.")
@click.option(
    "--sky-electrons", type=click.FloatRange(min=1), default=700.0, show_default=True,
    help="Of sky in a pixel of the survey's pictures, as in SDSS: sets the photon noise of what is injected.",
)  # fmt: skip
@click.pass_obj
def completeness(place: tuple[Paths, Path], mergers: int, seed: int, sky_electrons: float) -> None:
    """Tell which mergers the search would find: inject simulated ones into the survey and rank them with it.

    Each takes the place of a galaxy of the survey, on its sky, of its size, brightness and colour, blurred as the
    survey is. The share among the first k is told by mass ratio, separation, time since pericentre and brightness, in
    results/completeness/. Run `mergerscope rank`, or `dvc repro`, before.
    """
    from mergerscope.params import load_params

    paths, params_file = place
    params = load_params(params_file)
    importlib.import_module("mergerscope.completeness.run").run(paths, params, mergers, seed, sky_electrons)


@cli.command()
@click.argument("part", required=False)
@click.pass_obj
def params(place: tuple[Paths, Path], part: str | None) -> None:
    """Explain every setting: its value, range and meaning; or those of one PART.

    PART is a block, such as views, or one setting, such as views.strength. A value that is not the default is shown
    with it.
    """
    from mergerscope.explain import explain

    explain(place[1], part)


@cli.command()
@click.pass_obj
def summary(place: tuple[Paths, Path]) -> None:
    """Print how well the ranking does, beside chance and the baselines, and where the report is.

    Says where params.yaml asks for something else than what was done.
    """
    from mergerscope.params import load_params
    from mergerscope.summary import print_summary

    paths, params_file = place
    print_summary(paths, load_params(params_file))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Port to listen at.")
@click.pass_obj
def ui(place: tuple[Paths, Path], host: str, port: int) -> None:
    """Open the MLflow UI on this project's runs and models; Ctrl-C ends it."""
    from mergerscope.tracking.store import initialise, tracking_uri

    initialise(place[0])
    # A browser that has not been here before opens MLflow's pages on language models; these are the runs.
    click.echo(f"runs: http://{host}:{port}/#/experiments/1/runs?workflowType=machine_learning")
    address = ["--backend-store-uri", tracking_uri(place[0]), "--host", host, "--port", str(port)]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "ui", *address])


cli.add_command(fetch)
cli.add_command(sweep)
cli.add_command(with_crossmatch(_stage_command("rank")))
cli.add_command(samp)
cli.add_command(search)
cli.add_command(import_embeddings)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    try:
        code = cli.main(arguments, prog_name="mergerscope", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
    except MergerscopeError as error:
        click.secho("error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(str(error), err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
        # `mergerscope params | head`: the reader has left; point stdout elsewhere, or Python complains at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
