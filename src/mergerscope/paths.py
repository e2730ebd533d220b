"""Every path of the pipeline, relative to one root; nothing else builds them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Paths", "find_root"]

PARAMS_FILE = "params.yaml"


def find_root(start: Path | None = None) -> Path:
    """Return the project's root: the nearest folder at or above ``start`` with a ``params.yaml``.

    Falls back to ``start`` itself (the working directory by default), so that the error about the missing
    file names the place where the user stands.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / PARAMS_FILE).is_file():
            return folder
    return here


@dataclass(frozen=True, slots=True)
class Paths:
    """Where each stage reads and writes, below ``root``."""

    root: Path

    @property
    def params(self) -> Path:
        """The settings."""
        return self.root / PARAMS_FILE

    @property
    def dvc_lock(self) -> Path:
        """Digests of what each stage last read and wrote."""
        return self.root / "dvc.lock"

    @property
    def catalog(self) -> Path:
        """One row a galaxy: id, image, position, votes, role."""
        return self.root / "catalog.parquet"

    @property
    def catalog_report(self) -> Path:
        """What the catalog stage read and refused."""
        return self.root / "results" / "catalog"

    @property
    def shards(self) -> Path:
        """Folder of the packed cutouts."""
        return self.root / "shards"

    @property
    def manifest(self) -> Path:
        """What the shards hold, and what was refused."""
        return self.shards / "manifest.json"

    @property
    def models(self) -> Path:
        """Folder of the encoder and its receipt."""
        return self.root / "models"

    @property
    def encoder_weights(self) -> Path:
        """The trained weights."""
        return self.models / "encoder.safetensors"

    @property
    def encoder_config(self) -> Path:
        """What the weights belong to: sizes and pooling."""
        return self.models / "encoder.json"

    @property
    def champion(self) -> Path:
        """The receipt of the registered model: content digests only, kept in git."""
        return self.models / "champion.json"

    @property
    def model_card(self) -> Path:
        """The model card, made from the metrics and kept in git."""
        return self.models / "MODEL_CARD.md"

    @property
    def train_results(self) -> Path:
        """History, validation scores and samples of the training."""
        return self.root / "results" / "train"

    @property
    def embeddings(self) -> Path:
        """Folder of one vector a galaxy."""
        return self.root / "embeddings"

    @property
    def evaluate_results(self) -> Path:
        """How well the ranking does, with curves and tests."""
        return self.root / "results" / "evaluate"

    @property
    def rank_results(self) -> Path:
        """The ranked candidates."""
        return self.root / "results" / "rank"

    @property
    def completeness_results(self) -> Path:
        """Which injected mergers were found; written on request, outside of the graph."""
        return self.root / "results" / "completeness"

    @property
    def crossmatch_results(self) -> Path:
        """The ranked list against lists of others; written on request, outside of the graph."""
        return self.root / "results" / "crossmatch"

    @property
    def search_results(self) -> Path:
        """The galaxies that were last searched for; written on request, outside of the graph."""
        return self.root / "results" / "search"

    @property
    def imported(self) -> Path:
        """Vectors made elsewhere, in the layout of `embeddings`; written on request, outside of the graph."""
        return self.root / "imported"

    @property
    def sweeps(self) -> Path:
        """Folder of one folder a sweep; written on request, outside of the graph."""
        return self.root / "sweeps"

    @property
    def report(self) -> Path:
        """The page that shows it all and opens offline."""
        return self.root / "results" / "report.html"

    @property
    def figures(self) -> Path:
        """The report's figures, one PNG each."""
        return self.root / "results" / "figures"

    @property
    def scratch(self) -> Path:
        """Resume points: ignored by git and by DVC, safe to delete."""
        return self.root / ".scratch"

    @property
    def indexes(self) -> Path:
        """Approximate indexes of the embeddings, for `mergerscope search --index`; safe to delete."""
        return self.scratch / "index"

    @property
    def tracking_database(self) -> Path:
        """The MLflow database that is used where no server is named."""
        # `dvc exp run --temp` works in a copy; DVC_ROOT then names the real repository, whose store we want.
        return Path(os.environ.get("DVC_ROOT", self.root)) / "mlflow.db"
