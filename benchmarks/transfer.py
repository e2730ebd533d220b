"""What an encoder of one survey is worth on another: ``python -m benchmarks.transfer FOLDER --target COLUMN``.

FOLDER holds a survey that the encoder ``models/encoder.*`` has never seen (for the bundled simulated survey: a real
one). Its galaxies are embedded with that encoder and with an untrained one of the same architecture; each is ranked by
the ranker that cross-validation over references chooses for it, and judged on the hidden mergers as `evaluate` does:
over five splits, with bootstrap intervals. All rankers are printed, one line each, the chosen one marked.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from mergerscope.learn.baseline import untrained_embedding
from mergerscope.learn.device import pick_device
from mergerscope.learn.embed import embed_images
from mergerscope.learn.encoder import load_encoder
from mergerscope.params import Params, load_params
from mergerscope.paths import Paths, find_root
from mergerscope.progress import progress
from mergerscope.search.choose import choose_by_labels
from mergerscope.search.evaluation import Trial
from mergerscope.search.labels import Labels
from mergerscope.search.rankers import available
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.write_store import StoreWriter
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_shard
from mergerscope.stages import catalog
from mergerscope.stages import shard as shard_stage
from mergerscope.survey.catalog_file import read_catalog


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the other survey")
    parser.add_argument("--target", default="Class8.6", help="its column of votes for mergers")
    asked = parser.parse_args()
    home = Paths(find_root())
    params = load_params(home.params)
    params = params.model_copy(update={
        "survey": params.survey.model_copy(update={"root": "survey"}),
        "target": params.target.model_copy(update={"column": asked.target}),
    })
    with tempfile.TemporaryDirectory() as name:
        paths = Paths(Path(name))
        (paths.root / "survey").symlink_to(asked.folder.resolve(), target_is_directory=True)
        catalog.run(paths, params)
        shard_stage.run(paths, params)
        compare(home, paths, params)


def compare(home: Paths, paths: Paths, params: Params) -> None:
    table, manifest = read_catalog(paths.catalog), Manifest.load(paths.manifest)
    untrained = untrained_embedding(params, paths.shards, table, paths.root / "untrained")
    for encoder, store in (("trained", embed(home, paths, params, manifest)), ("untrained", untrained)):
        labels = Labels.of(table, store.ids)
        trial = Trial.of(table, labels, params.split, params.evaluate)
        choice = choose_by_labels(store, labels, labels.references, params)
        for row in trial.run(encoder, store, available(store), params.rank, lambda _: None):
            precision, recall = row.metrics["average_precision"], row.metrics["recall_at_100"]
            mark = " (chosen)" if row.ranker == choice.ranker else ""
            print(f"transfer_{encoder}_{row.ranker} {precision.value:.2f} average precision [{precision.low:.2f}, "
                  f"{precision.high:.2f}], recall at 100 {recall.value:.2f}, chance {trial.chance:.2f}{mark}")


def embed(home: Paths, paths: Paths, params: Params, manifest: Manifest) -> EmbeddingStore:
    encoder, settings = load_encoder(home.encoder_weights, home.encoder_config), params.embed
    writer = StoreWriter(paths.root / "trained")
    with progress("transfer: trained", manifest.total, "galaxies") as advance:
        for entry in manifest.shards:
            shard = read_shard(paths.shards, entry.name)
            found = embed_images(
                encoder, shard.images, views=settings.views, batch_size=settings.batch_size,
                device=pick_device(settings.device), advance=advance,
            )
            writer.add(shard.ids, found.embedding, found.pairs_logit)
    writer.close()
    return EmbeddingStore.open(writer.folder)


if __name__ == "__main__":
    main()
