from __future__ import annotations

import json

import numpy as np
import pytest

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.search import store as store_module
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.write_store import StoreWriter


def test_what_was_written_is_read(planted, on_disk):
    store = EmbeddingStore.open(on_disk)
    assert store.ids.tolist() == planted.ids
    assert (store.size, store.dim) == (600, 24)
    np.testing.assert_array_equal(store.rows(np.arange(600)), planted.values)
    np.testing.assert_array_equal(store.pairs_logit, planted.logits)


@pytest.mark.parametrize("values", [64 * 24, 24 * 170, 24 * 171, 1 << 20])
def test_blocks_cover_all_rows_in_order_whatever_their_size(planted, on_disk, monkeypatch, values):
    monkeypatch.setattr(store_module, "BLOCK_VALUES", values)
    for store in (EmbeddingStore.open(on_disk), planted.store):
        seen = [(start, block.copy()) for start, block in store.blocks()]
        np.testing.assert_array_equal(np.concatenate([block for _, block in seen]), planted.values)
        assert [start for start, _ in seen] == list(np.cumsum([0] + [len(block) for _, block in seen[:-1]]))


def test_blocks_of_chosen_rows(planted, on_disk, monkeypatch):
    monkeypatch.setattr(store_module, "BLOCK_VALUES", 64 * 24)
    rows = np.random.default_rng(0).integers(0, 600, 300)
    store = EmbeddingStore.open(on_disk)
    seen = np.concatenate([block for _, block in store.blocks(rows)])
    np.testing.assert_array_equal(seen, planted.values[rows])


def test_rows_come_in_the_order_asked_for_with_repeats(planted, on_disk):
    store = EmbeddingStore.open(on_disk)
    asked = [599, 0, 170, 169, 171, 0, 340]
    np.testing.assert_array_equal(store.rows(asked), planted.values[asked])
    assert store.rows([]).shape == (0, 24)


def test_subset_keeps_ids_values_and_logits_together(planted, on_disk):
    part = EmbeddingStore.open(on_disk).subset([500, 3])
    assert part.ids.tolist() == ["g0500", "g0003"]
    np.testing.assert_array_equal(part.rows([0, 1]), planted.values[[500, 3]])
    np.testing.assert_array_equal(part.pairs_logit, planted.logits[[500, 3]])


def test_index_of(on_disk):
    store = EmbeddingStore.open(on_disk)
    assert store.index_of(["g0200", "g0001"]).tolist() == [200, 1]
    with pytest.raises(ContractError, match=r"1 ids have no embedding, the first is 'g9999'"):
        store.index_of(["g0001", "g9999"])


def test_index_of_needs_no_order(planted):
    turned = EmbeddingStore.from_array(planted.ids[::-1], planted.values[::-1])
    assert turned.index_of(["g0200", "g0001", "g0200"]).tolist() == [399, 598, 399]
    with pytest.raises(ContractError, match="1 ids have no embedding"):
        turned.subset([]).index_of(["g0001"])


def test_ids_may_grow_from_shard_to_shard(tmp_path):
    writer = StoreWriter(tmp_path)
    for ids in (["a", "b"], ["a_much_longer_name"], ["c"]):
        writer.add(ids, np.zeros((len(ids), 4), np.float32))
    writer.close()
    assert EmbeddingStore.open(tmp_path).ids.tolist() == ["a", "b", "a_much_longer_name", "c"]


def test_a_folder_without_meta_names_the_stage_to_run(tmp_path):
    with pytest.raises(MissingInputError, match="mergerscope embed"):
        EmbeddingStore.open(tmp_path)


def damage_count(folder):
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"total": 601}))


def damage_count_downwards(folder):
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"total": 300}))


def damage_ids(folder):
    path = folder / "shard-000001.ids.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def damage_logits(folder):
    np.save(folder / "shard-000002.pairs.npy", np.zeros(3, np.float32))


def lose_logits(folder):
    (folder / "shard-000002.pairs.npy").unlink()


def damage_dtype(folder):
    np.save(folder / "shard-000000.npy", np.zeros((170, 24), np.float32))


@pytest.mark.parametrize(("damage", "message"), [
    (damage_count, "meta.json counts 601 embeddings, found 600"),
    (damage_count_downwards, "meta.json counts 300 embeddings, found 600"),
    (damage_ids, r"shard-000001.npy: expected float16 \(169, 24\), got float16 \(170, 24\)"),
    (damage_logits, r"shard-000002.pairs.npy: expected \(90,\)|expected \(170,\), got \(3,\)"),
    (lose_logits, "3 of 4 shards have .pairs.npy"),
    (damage_dtype, r"expected float16 \(170, 24\), got float32"),
])  # fmt: skip
def test_files_that_do_not_fit_together_are_refused(on_disk, damage, message):
    damage(on_disk)
    with pytest.raises(ContractError, match=message):
        EmbeddingStore.open(on_disk)


def test_a_file_that_shrinks_while_it_is_open_is_noticed(on_disk):
    store = EmbeddingStore.open(on_disk)
    with (on_disk / "shard-000001.npy").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(ContractError, match="became shorter while it was read"):
        list(store.blocks())


def test_arrays_of_other_lengths_than_the_ids_are_refused():
    with pytest.raises(ContractError, match="do not go with 2 ids"):
        EmbeddingStore.from_array(["a", "b"], np.zeros((3, 4)))
    with pytest.raises(ContractError, match="pairs logits"):
        EmbeddingStore.from_array(["a", "b"], np.zeros((2, 4)), np.zeros(3))


def test_an_array_without_rows_is_a_store_without_galaxies():
    store = EmbeddingStore.from_array([], np.empty((0, 4), np.float32))
    assert list(store.blocks()) == []
