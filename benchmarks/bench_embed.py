"""Embedding a survey against the bare network: ``python -m benchmarks.bench_embed``.

`embed_shards` reads the shards, runs the network and writes the embeddings; the bare forward pass has the same images
in memory as one tensor and keeps nothing. Same encoder, batches, device and precision, one view a galaxy: with eight,
the network alone would hide the rest. Repeats take turns, and the median of their ratios is printed.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from mergerscope.learn.device import autocast, pick_device
from mergerscope.learn.embed_shard import ShardEmbedder
from mergerscope.learn.encoder import Encoder, EncoderConfig, build_encoder
from mergerscope.params import EmbedParams, EncoderParams, ShardParams
from mergerscope.shards.manifest import MANIFEST_NAME, Manifest, ShardEntry, shard_name
from mergerscope.shards.sample import encode_sample, tar_tail
from mergerscope.stages.embed import embed_shards

SHARDS = 2
PER_SHARD = 400
REPEATS = 7
LIMIT = 0.85

SIZE = ShardParams().size
SETTINGS = EmbedParams(views=1)


def main() -> None:
    device = pick_device(SETTINGS.device)
    chosen = EncoderParams()
    config = EncoderConfig(chosen.depth, chosen.width, chosen.embedding_dim, "stages", 3, SIZE, pairs_head=True)
    encoder = build_encoder(config, seed=1).to(device).eval()
    images = np.random.default_rng(0).integers(0, 256, (SHARDS * PER_SHARD, 3, SIZE, SIZE), np.uint8)
    tensor = torch.from_numpy(images).to(device)
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        manifest = write_shards(images, here)
        ratios = []
        for repeat in range(REPEATS + 1):
            alone = seconds(partial(bare, encoder, tensor))
            out = here / str(repeat)
            task = ShardEmbedder(encoder, here, out, SETTINGS, device)
            whole = seconds(partial(embed_shards, task, manifest.shards, None, silent))
            rates = f"{len(images) / alone:.0f} images/s bare, {len(images) / whole:.0f} images/s embed"
            print(f"  {'warming up: ' * (not repeat)}{rates}", file=sys.stderr)
            ratios.append(alone / whole)
    ratio = statistics.median(ratios[1:])
    print(
        f"embed {ratio:.2f} of the bare forward pass: shards to embeddings on disk against tensors in memory "
        f"({len(images)} images of {SIZE} px, {device.type}; at least {LIMIT})"
    )


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def silent(count: int = 1, note: str = "") -> None:
    """Show no progress."""


def bare(encoder: Encoder, tensor: torch.Tensor) -> None:
    with torch.inference_mode(), autocast(tensor.device):
        for start in range(0, len(tensor), SETTINGS.batch_size):
            encoder(tensor[start : start + SETTINGS.batch_size])
    if tensor.is_cuda:
        torch.cuda.synchronize()


def write_shards(images: np.ndarray, folder: Path) -> Manifest:
    entries = []
    for number in range(SHARDS):
        rows = range(number * PER_SHARD, (number + 1) * PER_SHARD)
        content = b"".join(encode_sample(f"{row:06d}", images[row], {}) for row in rows)
        content += tar_tail(len(content))
        (folder / shard_name(number)).write_bytes(content)
        entries.append(ShardEntry(shard_name(number), PER_SHARD, hashlib.sha256(content).hexdigest()))
    manifest = Manifest((3, SIZE, SIZE), "uint8", ("red", "green", "blue"), 1.0, len(images), tuple(entries), ())
    manifest.save(folder / MANIFEST_NAME)
    return manifest


if __name__ == "__main__":
    main()
