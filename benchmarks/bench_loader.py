"""Loader and views against the training step that they feed: ``python -m benchmarks.bench_loader``.

All take turns batch by batch in one process, with the parameters' defaults but ``train.workers: 0``, so that nothing
overlaps: the loader reads a shuffled batch out of the shards, its views are made, and the network makes its forward
and backward pass and its optimiser step on them. Medians over the batches are compared; of the loader the mean, for it
reads ahead: some of its batches take long and others no time at all.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from benchmarks.bench_embed import write_shards

from mergerscope.learn.device import autocast, pick_device
from mergerscope.learn.fit import fresh_encoder
from mergerscope.learn.module import EncoderModule, make_view
from mergerscope.params import Params
from mergerscope.shards.loader import Batch, steps_per_epoch, training_loader

PARAMS = Params()
IMAGES = 2000
LIMIT = 5


def main() -> None:
    size, batch_size = PARAMS.shard.size, PARAMS.train.batch_size
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 3, size, size), np.uint8)
    device = pick_device(PARAMS.train.device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        manifest = write_shards(images, folder)
        steps = steps_per_epoch(manifest, batch_size)
        module = EncoderModule(fresh_encoder(PARAMS, folder, manifest), PARAMS, IMAGES, steps).to(device).train()
        module.on_train_epoch_start()
        optimizer = module.configure_optimizers()["optimizer"]
        loader = training_loader(folder, manifest, batch_size=batch_size, seed=1, epoch=0, workers=0)
        train(module, optimizer, (["warm-up"], torch.from_numpy(images[:batch_size])), device)
        laps: list[tuple[float, float, float]] = []
        start = clock(device)
        for batch in loader:
            loaded = clock(device)
            make_views(module, batch, device)
            viewed = clock(device)
            train(module, optimizer, batch, device)
            # The module makes the views again within its step: without them, what is left is the network's part.
            stepped = clock(device) - (viewed - loaded)
            laps.append((loaded - start, viewed - loaded, stepped - viewed))
            start = clock(device)
    reading, viewing, stepping = zip(*laps, strict=True)
    parts = {
        "loader": statistics.mean(reading), "views": statistics.median(viewing), "step": statistics.median(stepping)
    }  # fmt: skip
    for part, seconds in parts.items():
        print(f"  {part}: {batch_size / seconds:.0f} galaxies/s", file=sys.stderr)
    ratio = parts["step"] / (parts["loader"] + parts["views"])
    alone = parts["step"] / parts["loader"]
    what = f"the training step that it feeds ({size} px, batches of {batch_size}, {device.type})"
    print(f"loader_and_views {ratio:.2f} galaxies/s loader and views against {what}; at least {LIMIT}")
    print(f"loader {alone:.2f} galaxies/s loader alone against {what}")


def make_views(module: EncoderModule, batch: Batch, device: torch.device) -> None:
    images = batch[1].to(device).float() / 255
    with torch.no_grad():
        for name in module.view_names:
            make_view(name, images, PARAMS, module.generator)


def train(module: EncoderModule, optimizer: torch.optim.Optimizer, batch: Batch, device: torch.device) -> None:
    with autocast(device, PARAMS.train.precision):
        loss = module.training_step((batch[0], batch[1].to(device)), 0)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    module.on_train_batch_end(None, batch, 0)


def clock(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


if __name__ == "__main__":
    main()
