from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.learn import embed_shard
from mergerscope.learn.embed import embed_images
from mergerscope.learn.encoder import build_encoder, load_encoder, save_encoder
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.search.store import EmbeddingStore
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_images
from mergerscope.stages import embed, register


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_galaxy_gets_its_vector(registered: Paths, trained_params: Params) -> None:
    embed.run(registered, trained_params)
    store = EmbeddingStore.open(registered.embeddings)
    manifest = Manifest.load(registered.manifest)
    assert store.ids.tolist() == [f"g{number:02d}" for number in range(11)]
    images = read_images(registered.shards, manifest, store.ids.tolist())
    encoder = load_encoder(registered.encoder_weights, registered.encoder_config)
    expected = embed_images(encoder, images, views=8, batch_size=64)
    np.testing.assert_allclose(store.rows(range(11)), expected.embedding, rtol=0.02, atol=0.02)
    np.testing.assert_allclose(store.pairs_logit, expected.pairs_logit, rtol=0.02, atol=0.02)


def test_the_meta_data_name_model_and_images_by_their_content(registered: Paths, trained_params: Params) -> None:
    embed.run(registered, trained_params)
    receipt = json.loads(registered.champion.read_text(encoding="utf-8"))
    meta = json.loads((registered.embeddings / "meta.json").read_text(encoding="utf-8"))
    assert meta == {
        "model": {"name": "mergerscope-encoder", "weights_sha256": receipt["weights_sha256"]},
        "dim": 8, "views": 8, "pooling": "stages", "total": 11,
        "images_sha256": hashlib.sha256(registered.manifest.read_bytes()).hexdigest(),
        "shards": [
            {"name": "shard-000000", "count": 4}, {"name": "shard-000001", "count": 4},
            {"name": "shard-000002", "count": 3},
        ],
    }
    kinds = (".npy", ".ids.txt", ".pairs.npy")
    names = {f"shard-00000{number}{kind}" for number in range(3) for kind in kinds}
    assert contents(registered.embeddings).keys() == names | {"meta.json"}
    array = np.load(registered.embeddings / "shard-000002.npy", allow_pickle=False)
    assert (array.dtype, array.shape) == (np.float16, (3, 8))


def test_two_runs_give_the_same_bytes_and_replace_what_was_there(registered: Paths, trained_params: Params) -> None:
    embed.run(registered, trained_params)
    first = contents(registered.embeddings)
    (registered.embeddings / "shard-000009.npy").write_bytes(b"stale")
    embed.run(registered, trained_params)
    assert contents(registered.embeddings) == first
    assert not list((registered.scratch / "embed").iterdir())


class Killed(BaseException):
    pass


@pytest.fixture
def shards_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Sizes of the shards that went through the network, in order."""
    seen: list[int] = []
    direct = embed_shard.embed_images

    def counted(encoder: object, images: np.ndarray, **settings: object) -> object:
        seen.append(len(images))
        if len(seen) == 2:
            raise Killed
        return direct(encoder, images, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(embed_shard, "embed_images", counted)
    return seen


def test_a_killed_stage_goes_on_at_its_shard(
    registered: Paths, trained_params: Params, shards_read: list[int]
) -> None:
    with pytest.raises(Killed):
        embed.run(registered, trained_params)
    assert not registered.embeddings.exists()
    (work,) = (registered.scratch / "embed").iterdir()
    assert contents(work).keys() == {"shard-000000.npy", "shard-000000.ids.txt", "shard-000000.pairs.npy"}
    # Killed in the middle of writing the second shard.
    (work / "shard-000001.npy").write_bytes(b"half")
    (work / "shard-000001.ids.txt.new").write_bytes(b"half")
    embed.run(registered, trained_params)
    assert shards_read == [4, 4, 4, 3]
    whole = contents(registered.embeddings)
    assert not any(name.endswith(".new") for name in whole)
    embed.run(registered, trained_params)
    assert contents(registered.embeddings) == whole


def test_unfinished_work_of_other_settings_is_not_taken_up(
    registered: Paths, trained_params: Params, shards_read: list[int]
) -> None:
    with pytest.raises(Killed):
        embed.run(registered, trained_params)
    one_view = trained_params.model_copy(update={"embed": trained_params.embed.model_copy(update={"views": 1})})
    embed.run(registered, one_view)
    assert shards_read == [4, 4, 4, 4, 3]
    assert not list((registered.scratch / "embed").iterdir())


def test_another_champion_than_the_receipt_tells(registered: Paths, trained_params: Params) -> None:
    text = registered.champion.read_text(encoding="utf-8")
    digest = json.loads(text)["weights_sha256"]
    registered.champion.write_text(text.replace(digest, digest[::-1]), encoding="utf-8")
    with pytest.raises(ContractError, match="another model"):
        embed.run(registered, trained_params)


def test_the_model_comes_from_the_registry_and_from_no_path(registered: Paths, trained_params: Params) -> None:
    registered.encoder_weights.unlink()
    registered.encoder_config.unlink()
    embed.run(registered, trained_params)
    assert EmbeddingStore.open(registered.embeddings).size == 11


def test_shards_of_another_size(registered: Paths, trained_params: Params) -> None:
    text = registered.manifest.read_text(encoding="utf-8")
    tree = json.loads(text)
    registered.manifest.write_text(json.dumps(tree | {"image_shape": [3, 32, 32]}), encoding="utf-8")
    with pytest.raises(ContractError, match=r"\[3, 32, 32\].*\[3, 16, 16\]"):
        embed.run(registered, trained_params)


def test_a_shard_that_lost_galaxies(registered: Paths, trained_params: Params) -> None:
    for name in ("shard-000000.tar", "shard-000002.tar"):
        (registered.shards / name).write_bytes((registered.shards / "shard-000002.tar").read_bytes())
    with pytest.raises(ContractError, match=r"shard-000000\.tar holds 3 galaxies, the manifest says 4"):
        embed.run(registered, trained_params)


def test_an_encoder_that_has_diverged(trained: Paths, trained_params: Params) -> None:
    encoder = build_encoder(load_encoder(trained.encoder_weights, trained.encoder_config).config, 1)
    encoder.components.mul_(1e9)
    save_encoder(encoder, trained.encoder_weights, trained.encoder_config)
    register.run(trained, trained_params)
    with pytest.raises(ContractError, match=r"not finite.*'g00'"):
        embed.run(trained, trained_params)


def test_before_register(trained: Paths, trained_params: Params) -> None:
    with pytest.raises(MissingInputError, match="mergerscope register"):
        embed.run(trained, trained_params)
