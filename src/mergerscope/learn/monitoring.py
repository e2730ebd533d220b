"""Once an epoch: how alive the representation is, and how well it finds held-out references.

Only references and pool galaxies are looked at. The hidden mergers are left out here, so that neither a person nor
a sweep that reads these figures can tune on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mergerscope.errors import ContractError
from mergerscope.learn.embed import embed_images, pool_images
from mergerscope.learn.encoder import Encoder
from mergerscope.learn.monitors import alignment, effective_rank, feature_std, uniformity
from mergerscope.learn.reduce import fit_reduction
from mergerscope.params import Params, RankParams
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.validation import validate, validation_negatives
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_images
from mergerscope.survey.catalog_file import Catalog
from mergerscope.survey.roles import POOL, REFERENCE, pictures

__all__ = ["MonitorSet"]

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
    """

    def __init__(self, params: Params, shards_dir: Path, manifest: Manifest, catalog: Catalog) -> None:
        self.params = params
        refused = {refusal.id for refusal in manifest.refused}
        packed = np.array([name not in refused for name in catalog.ids.tolist()])
        # A twin of a reference, equal in pixels but without its vote, is no example of a merger.
        references = np.flatnonzero(packed & (catalog.role == REFERENCE) & catalog.known_merger)
        pool = np.flatnonzero(packed & (catalog.role == POOL))
        # A judged pool galaxy is known to be no merger; the others only fill up where there are too few of these.
        judged, unknown = pool[catalog.judged[pool]], pool[~catalog.judged[pool]]
        draw = np.random.default_rng(params.train.seed)
        most = max(2, params.train.monitor_images // 2)
        if len(references) > most:
            references = np.sort(draw.permutation(references)[:most])
        room = max(2, params.train.monitor_images - len(references))
        chosen = np.concatenate([draw.permutation(judged), draw.permutation(unknown)])[:room]
        if not len(references) or not len(chosen):
            raise ContractError(
                f"training is monitored on references among pool galaxies; got {len(references)} references and "
                f"{len(chosen)} pool galaxies in {shards_dir}. Check target.threshold and the refused images."
            )
        rows = np.sort(np.concatenate([references, chosen]))
        self.ids = catalog.ids[rows]
        self.references = np.flatnonzero(np.isin(rows, references))
        # Judged ones were chosen first, so the rule gives here what it gives on the whole survey.
        self.pool = np.flatnonzero(np.isin(rows, validation_negatives(chosen, catalog.judged)))
        self.pictures = pictures(catalog.pixel_digest[rows])
        self.judged_on = {
            "survey": _digest([catalog.ids, catalog.pixel_digest]),
            "split": _digest([self.ids, self.references, self.pool, [params.rank.folds, params.train.seed]]),
        }
        """By what the validation is known again: only scores with equal digests are of one examination. The survey's is
        over ids and pixels of the catalogue; the split's over who is searched for among whom, in which folds."""
        self.images: npt.NDArray[np.uint8] = read_images(shards_dir, manifest, self.ids.tolist())

    def epoch(self, encoder: Encoder, device: torch.device) -> dict[str, float]:
        """Return the monitors of one epoch: geometry from single views, validation from `EPOCH_VIEWS` at most."""
        probes = self.images[:PROBES]
        turned = np.ascontiguousarray(np.rot90(probes, axes=(2, 3)))
        features, other = (
            pool_images(encoder, images, views=1, batch_size=self.batch_size, device=device)[0]
            for images in (probes, turned)
        )
        standard, standard_other = _standardised(features, features), _standardised(other, features)
        views = min(self.params.embed.views, EPOCH_VIEWS)
        judged, _ = pool_images(encoder, self.images, views=views, batch_size=self.batch_size, device=device)
        found = self._validate(_standardised(judged, judged).numpy())
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
        found = embed_images(
            encoder, self.images, views=self.params.embed.views, batch_size=self.batch_size, device=device
        )
        return self._validate(found.embedding)

    def fit_reduction(self, encoder: Encoder, device: torch.device) -> None:
        """Fit the reduction of an encoder to these galaxies."""
        if encoder.config.pooling == "stages":
            views = self.params.embed.views
            features, _ = pool_images(encoder, self.images, views=views, batch_size=self.batch_size, device=device)
            fit_reduction(encoder, features)

    @property
    def batch_size(self) -> int:
        """Galaxies a forward pass."""
        return self.params.embed.batch_size

    @property
    def k(self) -> int:
        """The k of recall@k: as asked for, or half the pool where that is smaller."""
        return max(1, min(self.params.train.monitor_k, len(self.pool) // 2))

    def _validate(self, embedding: npt.NDArray[Any]) -> dict[str, float]:
        rank: RankParams = self.params.rank
        found = validate(
            EmbeddingStore.from_array(self.ids, embedding), self.references, self.pool, RANKER, rank, self.k,
            rank.folds, self.params.train.seed, pictures=self.pictures,
        )  # fmt: skip
        return {"recall": found.recall_at_k, "average_precision": found.average_precision}


def _digest(columns: Sequence[Any]) -> str:
    """Return 12 hex digits over some columns: enough to tell surveys apart, short enough for a table of metrics."""
    digest = hashlib.sha256()
    for column in columns:
        values = np.asarray(column)
        digest.update(values.dtype.str.encode() + values.tobytes())
    return digest.hexdigest()[:12]


def _standardised(features: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """Bring features to mean 0 and variance 1 as measured on ``by``; both (N, F)."""
    return (features - by.mean(0)) / by.std(0).clamp_min(1e-6)
