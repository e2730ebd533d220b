"""The Lightning module: views, one pass through the encoder, the weighted sum of terms, one optimiser step."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Generator, Tensor, nn

from mergerscope.learn.across import mean, take_over
from mergerscope.learn.canvas import PICTURE, Canvas
from mergerscope.learn.encoder import Encoder
from mergerscope.learn.pairs import make_pairs, make_singles, random_view
from mergerscope.learn.terms import make_terms
from mergerscope.params import Params

__all__ = ["EncoderModule", "make_view"]

CHUNK = 32
"""Galaxies whose views are made at a time: few enough that the work stays in the cache of a CPU."""


def make_view(
    name: str, light: Tensor, params: Params, generator: Generator | None = None, bank: Tensor | None = None,
    canvas: Canvas = PICTURE,
) -> Tensor:
    """Return the view ``pair``, ``single`` or ``view`` (see `mergerscope.learn.terms`) of light (B, C, H, W).

    Args:
        name: of the view.
        light: of the galaxies, as ``canvas.begin`` gives it.
        params: all parameters.
        generator: of random numbers.
        bank: encounters for the pairs, where they take part.
        canvas: of these galaxies.

    Returns:
        Images (B, C, H, W) in 0...1.
    """
    pairs, views = params.objective.pairs, params.views
    makers: Mapping[str, Callable[[Tensor, Canvas], Tensor]] = {
        "pair": lambda x, on: make_pairs(x, pairs, views, generator, bank, on),
        "single": lambda x, on: (
            make_singles(x, views, generator, on) if pairs.weight > 0 else random_view(x, views, generator, on)
        ),
        "view": lambda x, on: random_view(x, views, generator, on),
    }
    chunk = CHUNK if light.device.type == "cpu" else len(light)
    parts = zip(torch.split(light, chunk), canvas.split(len(light), chunk), strict=True)
    return torch.cat([makers[name](part, on) for part, on in parts])


class EncoderModule(pl.LightningModule):
    """Trains an encoder; what it saw of the losses in an epoch is in `epoch_metrics`."""

    bank: Tensor | None

    def __init__(
        self, encoder: Encoder, params: Params, images: int, steps_per_epoch: int, bank: Tensor | None = None,
        canvas: Canvas = PICTURE,
    ) -> None:
        super().__init__()
        # Made again from the seed, so no part of a checkpoint.
        self.register_buffer("bank", bank, persistent=False)
        self.encoder = encoder
        self.params = params
        self.canvas = canvas
        self.terms = make_terms(encoder, params.objective, images)
        # A plain dict says that they are terms; this one makes their weights a part of the module.
        self.registered_terms = nn.ModuleDict(self.terms)
        self.view_names = sorted({view for term in self.terms.values() for view in term.views})
        self.steps_per_epoch = steps_per_epoch
        self.generator: Generator | None = None
        self._sums: dict[str, Tensor] = {}

    def on_fit_start(self) -> None:
        """Let all devices begin with the same buffers, such as the queue; the strategy sees to weights alone."""
        for buffer in self.buffers():
            take_over(buffer)

    def on_train_epoch_start(self) -> None:
        """Seed the views by the epoch, so that a resumed training sees what an uninterrupted one would have.

        Each device draws its own: 2^52 is beyond the seeds of any first device.
        """
        seed = self.params.train.seed * 1_000_003 + self.current_epoch + (self.global_rank << 52)
        self.generator = Generator(self.device).manual_seed(seed)
        self._sums = defaultdict(lambda: torch.zeros((), device=self.device))

    def training_step(self, batch: tuple[list[str], Tensor], batch_index: int) -> Tensor:
        """Return the loss of one batch of images (B, C, H, W) as the shards hold them."""
        ids, images = batch
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            light, canvas = self.canvas.begin(images, ids, self.params.views.strength, self.generator)
            views = {
                name: make_view(name, light, self.params, self.generator, self.bank, canvas)
                for name in self.view_names
            }
        # One pass over all views, so that batch normalisation sees pairs and singles mixed: in separate passes
        # their statistics alone would tell them apart.
        maps = self.encoder.stages(torch.cat(list(views.values())))
        parts = zip(*(torch.split(stage, len(images)) for stage in maps), strict=True)
        features = dict(zip(views, parts, strict=True))
        total = torch.zeros((), device=self.device)
        for name, term in self.terms.items():
            result = term(self.encoder, features, views)
            total = total + self.params.objective.weights[name] * result["loss"]
            for key, value in result.items():
                self._sums[name if key == "loss" else f"{name}_{key}"] += value.detach()
        self._sums["loss"] += total.detach()
        return total

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Let terms follow the optimiser step."""
        for term in self.terms.values():
            term.after_step(self.encoder)

    @property
    def epoch_metrics(self) -> dict[str, float]:
        """Mean over the epoch's steps of the loss, of each term (where there are several) and of their monitors.

        And over devices: all of them ask for it, or none.
        """
        alone = list(self.terms) if len(self.terms) == 1 else []
        told = {name: mean(value) for name, value in self._sums.items() if name not in alone}
        return {name: float(value) / self.steps_per_epoch for name, value in told.items()}

    def configure_optimizers(self) -> Any:
        """AdamW with linear warm-up and cosine decay, counted in steps from the number of images.

        Lightning's own estimate of the number of steps is -1 for streamed data, so it is not asked.
        """
        train = self.params.train
        trained = [(n, p) for n, p in self.named_parameters() if p.requires_grad]
        groups = [
            {"params": [p for _, p in trained if p.ndim > 1], "weight_decay": train.weight_decay},
            {"params": [p for _, p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=train.learning_rate)
        total = train.epochs * self.steps_per_epoch
        warmup = train.warmup_epochs * self.steps_per_epoch

        def factor(step: int) -> float:
            return min(1.0, (step + 1) / (warmup + 1)) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
