from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.shards import reader
from mergerscope.shards.reader import read_images, read_shard, shard_ids


def slow_images(folder: Path) -> dict[str, np.ndarray]:
    """Every galaxy as tarfile and numpy.load read it."""
    images = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None and member.name.endswith(".npy"):
                    images[member.name.removesuffix(".npy")] = np.load(io.BytesIO(content.read()))
    return images


def test_a_shard_is_what_tarfile_reads(packed: Any) -> None:
    expected = slow_images(packed.folder)
    seen = []
    for entry in packed.manifest.shards:
        shard = read_shard(packed.folder, entry.name)
        assert shard.images.shape == (entry.count, *packed.manifest.image_shape)
        assert shard.images.flags.c_contiguous
        assert shard.images.flags.writeable
        np.testing.assert_array_equal(shard.images, [expected[key] for key in shard.ids])
        seen += shard.ids
    assert seen == packed.ids == list(expected)


def test_shard_ids(packed: Any) -> None:
    ids = shard_ids(packed.folder, packed.manifest)
    assert [len(part) for part in ids] == [8, 8, 8, 8, 8, 8, 2]
    assert [key for part in ids for key in part] == packed.ids


def test_galaxies_in_any_order(packed: Any) -> None:
    expected = slow_images(packed.folder)
    wanted = [*np.random.default_rng(1).permutation(packed.ids).tolist(), packed.ids[0], packed.ids[0], packed.ids[-1]]
    np.testing.assert_array_equal(
        read_images(packed.folder, packed.manifest, wanted), [expected[key] for key in wanted]
    )


def test_no_galaxy_at_all(packed: Any) -> None:
    assert read_images(packed.folder, packed.manifest, []).shape == (0, 3, 32, 32)


def test_only_the_shards_asked_for_are_indexed(packed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    index = reader.shard_index
    monkeypatch.setattr(reader, "shard_index", lambda path: (opened.append(path.name), index(path))[1])
    read_images(packed.folder, packed.manifest, [packed.ids[17], packed.ids[16], packed.ids[49]])
    assert opened == ["shard-000002.tar", "shard-000006.tar"]


@pytest.mark.parametrize("key", ["a", "g0003x", "zzz", "", "g0050"])
def test_an_unknown_id(packed: Any, key: str) -> None:
    with pytest.raises(ContractError, match=f"{key!r} is in no shard"):
        read_images(packed.folder, packed.manifest, [packed.ids[3], key])


def test_a_missing_shard(packed: Any) -> None:
    (packed.folder / "shard-000003.tar").unlink()
    with pytest.raises(MissingInputError, match=r"shard-000003\.tar"):
        read_shard(packed.folder, "shard-000003.tar")
    with pytest.raises(MissingInputError, match=r"shard-000003\.tar"):
        shard_ids(packed.folder, packed.manifest)
    with pytest.raises(MissingInputError, match=r"shard-000003\.tar"):
        read_images(packed.folder, packed.manifest, packed.ids[:1])


@pytest.mark.parametrize("length", [0, 100, 512, 5000, 20_000])
def test_a_shard_cut_short(packed: Any, length: int) -> None:
    path = packed.folder / "shard-000001.tar"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ContractError, match=r"shard-000001\.tar.*mergerscope shard"):
        read_shard(packed.folder, path.name)


def test_a_shard_with_fewer_galaxies_than_the_manifest_says(packed: Any) -> None:
    (packed.folder / "shard-000001.tar").write_bytes((packed.folder / "shard-000006.tar").read_bytes())
    with pytest.raises(ContractError, match="holds 2 galaxies and the manifest says 8"):
        shard_ids(packed.folder, packed.manifest)


@pytest.mark.parametrize("content", [b"\1" * 20480, b"hello", bytes(10240)])
def test_what_is_no_shard(packed: Any, content: bytes) -> None:
    (packed.folder / "shard-000001.tar").write_bytes(content)
    with pytest.raises(ContractError, match=r"shard-000001\.tar"):
        read_shard(packed.folder, "shard-000001.tar")


def test_a_changed_file_is_indexed_anew(packed: Any) -> None:
    first = read_shard(packed.folder, "shard-000000.tar")
    (packed.folder / "shard-000000.tar").write_bytes((packed.folder / "shard-000006.tar").read_bytes())
    assert read_shard(packed.folder, "shard-000000.tar").ids == ["g0048", "g0049"] != first.ids
