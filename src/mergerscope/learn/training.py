"""One training as each of its processes sees it: which galaxies, in which batches, from which resume point."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytorch_lightning as pl
from torch import nn

from mergerscope.errors import ContractError
from mergerscope.learn.callbacks import EpochMonitor
from mergerscope.learn.device import pick_device
from mergerscope.learn.module import EncoderModule
from mergerscope.learn.place import Place, batch_of, place_of
from mergerscope.learn.resume_key import training_key
from mergerscope.learn.shared_norm import own_norms, share_norms
from mergerscope.learn.trainer import last_point, make_trainer, quiet_lightning
from mergerscope.params import Params
from mergerscope.shards.loader import EpochLoader, steps_per_epoch, training_loader
from mergerscope.shards.manifest import MANIFEST_NAME, Manifest
from mergerscope.survey.catalog_file import Catalog
from mergerscope.survey.roles import REFERENCE

__all__ = ["Training"]


class Training:
    """The same for all processes that train together, but for their place.

    Args:
        params: all parameters.
        shards_dir: folder of the shards and their manifest.
        catalog: whose roles say which galaxies are references.
        scratch: where resume points are kept, if anywhere.
        place: of this process; by default as the parameters and the launcher, if any, say.

    Raises:
        ContractError: there are too few images to train on.
        ParameterError: there are not as many devices, or they cannot share a batch.
    """

    def __init__(
        self, params: Params, shards_dir: Path, catalog: Catalog, scratch: Path | None, place: Place | None = None
    ) -> None:
        self.params, self.shards_dir, self.catalog = params, shards_dir, catalog
        self.manifest = Manifest.load(shards_dir / MANIFEST_NAME)
        self._keep, self.images = _training_images(params, self.manifest, catalog)
        self.device = pick_device(params.train.device)
        self.place = place_of(params.train, self.device) if place is None else place
        self._batch_size = batch_of(params.train, self.images, self.place.processes)
        key = None if scratch is None else training_key(params, self.manifest, catalog)
        self._points = None if scratch is None or key is None else scratch / key[:16]

    @property
    def steps_per_epoch(self) -> int:
        """Steps of each process."""
        return steps_per_epoch(self.images, self._batch_size * self.place.processes)

    def run(self, module: EncoderModule, monitor: EpochMonitor) -> None:
        """Train; the group of processes must be joined."""
        if self._points is not None and self.place.rank == 0:
            _begin(self._points)
        together = self.place.processes > 1
        if together:
            share_norms(module.encoder, self.device)
        try:
            with quiet_lightning():
                trainer = make_trainer(
                    self.params.train, self.device, monitor, self._points, self.place, leaves_some=_leaves_some(module)
                )
                trainer.fit(
                    module, datamodule=_Epochs(self._loader), ckpt_path=last_point(self._points), weights_only=True
                )
        finally:
            if together:
                own_norms(module.encoder)

    def forget(self) -> None:
        """Remove the resume points: the training is over."""
        if self._points is not None:
            shutil.rmtree(self._points, ignore_errors=True)

    def _loader(self, epoch: int) -> EpochLoader:
        return training_loader(
            self.shards_dir, self.manifest, batch_size=self._batch_size, seed=self.params.train.seed, epoch=epoch,
            workers=self.params.train.workers, keep=self._keep, part=self.place.rank, parts=self.place.processes,
        )  # fmt: skip


class _Epochs(pl.LightningDataModule):
    """Hands Lightning a new loader each epoch: the order depends on the epoch alone, also after a resume."""

    def __init__(self, loader: Callable[[int], EpochLoader]) -> None:
        super().__init__()
        self._loader = loader

    def train_dataloader(self) -> EpochLoader:
        """Return the loader of the present epoch."""
        trainer = self.trainer
        return self._loader(0 if trainer is None else trainer.current_epoch)


def _training_images(params: Params, manifest: Manifest, catalog: Catalog) -> tuple[frozenset[str] | None, int]:
    """Return the ids to train on (None: all) and their number."""
    if params.train.images == "all":
        keep, count = None, manifest.total
    else:
        refused = {refusal.id for refusal in manifest.refused}
        keep = frozenset(catalog.ids[(catalog.role == REFERENCE) & catalog.known_merger].tolist()) - refused
        count = len(keep)
    if count < 2:
        raise ContractError(
            f"training needs at least 2 images, got {count} (train.images: {params.train.images}). "
            "Use train.images: all, or a survey with more known mergers."
        )
    return keep, count


def _leaves_some(module: EncoderModule) -> bool:
    """Whether the linear layer behind the trunk is there, and no term that works on it."""
    return isinstance(module.encoder.linear, nn.Linear) and list(module.terms) == ["pairs"]


def _begin(points: Path) -> None:
    """Make the folder for resume points of just this training; those of any other are removed."""
    scratch = points.parent
    for other in scratch.glob("*") if scratch.is_dir() else ():
        if other.is_dir() and other != points:
            shutil.rmtree(other)
    points.mkdir(parents=True, exist_ok=True)
