"""Once an epoch: how alive the representation is, and how well it finds held-out references.

Only references and pool galaxies are looked at. The hidden mergers are left out here, so that neither a person nor
a sweep that reads these figures can tune on them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mergerscope.learn.embed import pool_images, reduce_features
from mergerscope.learn.encoder import Encoder
from mergerscope.learn.examination import Examination
from mergerscope.learn.monitors import alignment, effective_rank, feature_std, uniformity
from mergerscope.learn.reduce import fit_reduction
from mergerscope.params import Params, RankParams
from mergerscope.search.negatives import recall_depth
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.validation import Validation, validate
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_images
from mergerscope.shards.sample import Pixels
from mergerscope.survey.catalog_file import Catalog

__all__ = ["RANKER", "MonitorSet", "scores"]

RANKER = "whitened"
"""The ranker behind the validation figures: quick, with nothing to choose, and near the best."""
EPOCH_VIEWS = 4
"""Views a galaxy is averaged over for the validation of an epoch, at most: it tells nearly what all eight would, and
eight cost a quarter of the time of a training."""
PROBES = 512
"""Galaxies on which alignment, uniformity, spread and rank are measured."""


class MonitorSet:
    """References and pool galaxies, in memory, on which training is monitored.

    Args:
        params: all parameters; `train.monitor_images` galaxies are taken, at most half of them references, and
            two pool galaxies at least.
        shards_dir: folder of the shards.
        manifest: of these shards.
        catalog: roles and votes.
        ranker: behind the validation figures.

    Raises:
        ContractError: there is no reference or no pool galaxy among the packed ones.
    """

    def __init__(
        self, params: Params, shards_dir: Path, manifest: Manifest, catalog: Catalog, ranker: str = RANKER
    ) -> None:
        self.params = params
        self.ranker = ranker
        examined = Examination.of(params, manifest, catalog)
        self.ids, self.references, self.pool = examined.ids, examined.references, examined.pool
        self.pictures, self.judged_on = examined.pictures, examined.judged_on
        self.images: Pixels = read_images(shards_dir, manifest, self.ids.tolist())

    def epoch(self, encoder: Encoder, device: torch.device) -> dict[str, float]:
        """Return the monitors of one epoch: geometry from single views, validation from `EPOCH_VIEWS` at most."""
        probes = self.images[:PROBES]
        turned: Any = np.ascontiguousarray(np.rot90(probes, axes=(2, 3)))
        features, other = (
            pool_images(encoder, images, views=1, batch_size=self.batch_size, device=device)[0]
            for images in (probes, turned)
        )
        standard, standard_other = _standardised(features, features), _standardised(other, features)
        views = min(self.params.embed.views, EPOCH_VIEWS)
        judged, _ = pool_images(encoder, self.images, views=views, batch_size=self.batch_size, device=device)
        found = scores(self._validate(_standardised(judged, judged).numpy()))
        return {
            "alignment": alignment(standard, standard_other),
            "uniformity": uniformity(standard),
            "feature_std": feature_std(features),
            "effective_rank": effective_rank(standard),
            "validation_recall": found["recall"],
            "validation_average_precision": found["average_precision"],
        }

    def judge(self, encoder: Encoder, device: torch.device) -> dict[str, float]:
        """Return recall@k and average precision of an encoder as it will be used: all views, reduced."""
        return scores(self._validate(reduce_features(encoder, self._pooled(encoder, device), device)))

    def examine(self, encoder: Encoder, device: torch.device) -> Validation:
        """Fit the reduction of an encoder to these galaxies, and return recall@k and average precision in each fold."""
        pooled = self._pooled(encoder, device)
        fit_reduction(encoder, pooled)
        return self._validate(reduce_features(encoder, pooled, device))

    def fit_reduction(self, encoder: Encoder, device: torch.device) -> None:
        """Fit the reduction of an encoder to these galaxies."""
        if encoder.config.pooling == "stages":
            fit_reduction(encoder, self._pooled(encoder, device))

    def _pooled(self, encoder: Encoder, device: torch.device) -> torch.Tensor:
        views = self.params.embed.views
        return pool_images(encoder, self.images, views=views, batch_size=self.batch_size, device=device)[0]

    @property
    def batch_size(self) -> int:
        """Galaxies a forward pass."""
        return self.params.embed.batch_size

    @property
    def k(self) -> int:
        """The k of recall@k: as asked for, or half the pool where that is smaller."""
        return recall_depth(self.params.train.monitor_k, len(self.pool))

    def _validate(self, embedding: npt.NDArray[Any]) -> Validation:
        rank: RankParams = self.params.rank
        return validate(
            EmbeddingStore.from_array(self.ids, embedding), self.references, self.pool, self.ranker, rank, self.k,
            rank.folds, self.params.train.seed, pictures=self.pictures,
        )  # fmt: skip


def scores(found: Validation) -> dict[str, float]:
    """Return the means over the folds, by the names that results and runs use."""
    return {"recall": found.recall_at_k, "average_precision": found.average_precision}


def _standardised(features: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """Bring features to mean 0 and variance 1 as measured on ``by``; both (N, F)."""
    return (features - by.mean(0)) / by.std(0).clamp_min(1e-6)
