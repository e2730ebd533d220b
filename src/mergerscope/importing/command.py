"""The verb `import-embeddings` of the command line; imports nothing heavy, for help must come at once."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from mergerscope.importing.request import Request
from mergerscope.paths import Paths

__all__ = ["import_embeddings"]


@click.command("import-embeddings")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--id-column", metavar="NAME", help="Column of the galaxies' ids.  [default: id, or another usual name]")
@click.option("--vectors", metavar="NAME", help="A column of lists, or of many columns what they have in common, as in "
              "'feat_*'.  [default: the only ones that can be meant]")  # fmt: skip
@click.option("--name", metavar="NAME", help="What made them, for tables and figures.  [default: the file's name]")
@click.option("--subset", is_flag=True, help="The file holds other galaxies too: leave those out that the survey has "
              "not.")  # fmt: skip
@click.pass_obj
def import_embeddings(
    place: tuple[Paths, Path], file: Path, id_column: str | None, vectors: str | None, name: str | None, subset: bool
) -> None:
    """Take in vectors of the survey's galaxies that another program made, from the Parquet file FILE.

    Zoobot, AstroCLIP or AION, say: one row a galaxy, with its id and one list of numbers, or many columns of one
    number each. They are checked and written to imported/. With what it then tells to set in params.yaml, `dvc repro`
    ranks, evaluates and shows the survey by them. Run `mergerscope shard` before.
    """
    from mergerscope.params import load_params

    paths, params_file = place
    request = Request(file, id_column, vectors, name or file.stem, subset)
    importlib.import_module("mergerscope.importing.run").run(paths, load_params(params_file), request)
