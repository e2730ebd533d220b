"""The terms of the objective. Each says which views of the batch it needs, and turns their features into a loss.

The views are made, and go through the encoder, once for all terms:

- ``pair``: a synthetic merger;
- ``single``: one galaxy, with impostors where the `pairs` term takes part;
- ``view``: one more random view of the same galaxy.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mergerscope.learn.across import collect, deal, gather, processes, rank
from mergerscope.learn.contrast import info_nce, nt_xent
from mergerscope.learn.encoder import Encoder
from mergerscope.params import ObjectiveParams

__all__ = ["Features", "MocoTerm", "PairsTerm", "SimclrTerm", "Term", "make_terms", "queue_length"]

Features = Mapping[str, tuple[Tensor, ...]]
"""The four stages' maps by view."""


class Term(nn.Module, ABC):
    """Base of the terms."""

    views: tuple[str, ...] = ()

    @abstractmethod
    def forward(self, encoder: Encoder, features: Features, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return ``{"loss": scalar}`` and further scalars to be monitored."""

    def after_step(self, encoder: Encoder) -> None:
        """Do what follows an optimiser step; most terms have nothing to do."""


class PairsTerm(Term):
    """Tell synthetic mergers from singles and impostors: binary cross entropy on the encoder's pairs head."""

    views = ("pair", "single")

    def forward(self, encoder: Encoder, features: Features, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the loss and the accuracy; chance is .5."""
        positive, negative = (encoder.pairs_logit_of(features[view]) for view in self.views)
        loss = 0.5 * (F.softplus(-positive).mean() + F.softplus(negative).mean())
        accuracy = 0.5 * ((positive > 0).float().mean() + (negative <= 0).float().mean())
        return {"loss": loss, "accuracy": accuracy.detach()}


class SimclrTerm(Term):
    """NT-Xent between two views (Chen et al. 2020, arXiv:2002.05709); negatives are of all devices' batches."""

    views = ("single", "view")

    def __init__(self, encoder: Encoder, objective: ObjectiveParams) -> None:
        super().__init__()
        self.projector = _projector(encoder.config.output_dim_trained, objective.projection_dim)
        self.temperature = objective.temperature

    def forward(self, encoder: Encoder, features: Features, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the loss."""
        first, second = (
            gather(self.projector(encoder.trained_embedding(features[view])).float()) for view in self.views
        )
        return {"loss": nt_xent(first, second, self.temperature)}


class MocoTerm(Term):
    """MoCo v2 (Chen et al. 2020, arXiv:2003.04297): InfoNCE against a queue of a momentum encoder's keys.

    On several devices, each has the same queue, of the keys of all. The key encoder's batches are shuffled across
    devices, and normalised there (He et al. 2020, arXiv:1911.05722, section 3.3): else a query could find its key by
    the statistics of the batch that both were in. The shuffle is always the same, for the galaxies of a batch come at
    random already.
    """

    views = ("single", "view")
    queue: Tensor
    cursor: Tensor

    def __init__(self, encoder: Encoder, objective: ObjectiveParams, queue_size: int) -> None:
        super().__init__()
        self.projector = _projector(encoder.config.output_dim_trained, objective.projection_dim)
        self.key_encoder = copy.deepcopy(encoder).requires_grad_(requires_grad=False)
        self.key_projector = copy.deepcopy(self.projector).requires_grad_(requires_grad=False)
        self.temperature, self.momentum = objective.temperature, objective.moco.momentum
        self.register_buffer("queue", F.normalize(torch.randn(queue_size, objective.projection_dim), dim=1))
        self.register_buffer("cursor", torch.zeros((), dtype=torch.long))

    def forward(self, encoder: Encoder, features: Features, images: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the loss, and put the batch's keys in the queue."""
        query = self.projector(encoder.trained_embedding(features["single"]))
        with torch.no_grad():
            maps = self.key_encoder.stages(deal(images["view"]))
            dealt = F.normalize(self.key_projector(self.key_encoder.trained_embedding(maps)).float(), dim=1)
            keys = collect(dealt)
            own = keys.chunk(processes())[rank()]
        loss = info_nce(query, own, self.queue.clone(), self.temperature)
        self._enqueue(keys)
        return {"loss": loss}

    def after_step(self, encoder: Encoder) -> None:
        """Move the key encoder towards the encoder."""
        with torch.no_grad():
            for mine, theirs in ((self.key_encoder, encoder), (self.key_projector, self.projector)):
                for slow, fast in zip(mine.parameters(), theirs.parameters(), strict=True):
                    slow.lerp_(fast, 1 - self.momentum)

    def _enqueue(self, key: Tensor) -> None:
        at = (int(self.cursor) + torch.arange(len(key), device=key.device)) % len(self.queue)
        self.queue[at[-len(self.queue) :]] = key[-len(self.queue) :]
        self.cursor.fill_((int(self.cursor) + len(key)) % len(self.queue))


def make_terms(encoder: Encoder, objective: ObjectiveParams, images: int) -> dict[str, Term]:
    """Return the terms that take part, by name; ``images`` is the number of training images."""
    makers: dict[str, Callable[[], Term]] = {
        "pairs": PairsTerm,
        "simclr": lambda: SimclrTerm(encoder, objective),
        "moco": lambda: MocoTerm(encoder, objective, queue_length(objective.moco.queue, images)),
    }
    return {name: makers[name]() for name in objective.weights}


def queue_length(asked: int, images: int) -> int:
    """Cap the queue at half the training images: a longer one would hold the query's own galaxy as a negative."""
    return max(1, min(asked, images // 2))


def _projector(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, inputs), nn.ReLU(inplace=True), nn.Linear(inputs, outputs))
