"""The engine `ray` on a cluster of this machine alone, of two nodes of which one is killed in the middle."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mergerscope.cluster import QUIET, Cluster, engine
from mergerscope.errors import ClusterError, ContractError, MissingInputError, ParameterError
from mergerscope.params import Params, RankParams
from mergerscope.paths import Paths
from mergerscope.search.rankers import RANKERS, score
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import on_cluster
from mergerscope.search.write_store import StoreWriter
from mergerscope.stages import embed, rank

# not imported yet: what it prints depends on the environment at that moment
pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra `ray`: pip install '.[ray]'")

STORE_BYTES = 100 * 2**20
DOOMED = "MERGERSCOPE_TEST_DOOMED"
PATIENCE_S = 300


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head that gives one core."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster as Nodes

        head = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False}
        made = Nodes(initialize_head=True, head_node_args=head)
        patch.setenv("RAY_ADDRESS", made.address)
        yield made
        made.shutdown()


@pytest.fixture
def doomed(nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Thread]:
    """A second node with one core, whose first task never ends, and the thread that kills it in the midst of that."""
    begun = tmp_path / "begun"
    node = nodes.add_node(num_cpus=1, object_store_memory=STORE_BYTES, env_vars={DOOMED: "1"})

    def kill() -> None:
        wait_for(begun.exists)
        nodes.remove_node(node, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    direct = Cluster.map

    def mapped(cluster: Cluster, function: Callable[[Any], Any], items: Any, on_gpu: bool = False) -> Iterator[Any]:
        return direct(cluster, fatal_on_one(function, begun), items, on_gpu)

    monkeypatch.setattr(Cluster, "map", mapped)
    yield killer
    begun.touch()
    killer.join()


def fatal_on_one(function: Callable[[Any], Any], begun: Path) -> Callable[[Any], Any]:
    """Make the doomed node say that it has begun and sleep, and the other wait for that."""
    name, patience_s = DOOMED, PATIENCE_S

    def called(item: Any) -> Any:
        import os
        import time

        if name in os.environ:
            begun.touch()
            time.sleep(2 * patience_s)
        deadline = time.monotonic() + patience_s
        while not begun.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        return function(item)

    return called


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)


def on_ray(params: Params, **rank_settings: Any) -> Params:
    return params.model_copy(update={
        "embed": params.embed.model_copy(update={"engine": "ray"}),
        "rank": params.rank.model_copy(update={"engine": "ray", **rank_settings}),
    })


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_embedding_gives_the_same_bytes_though_a_node_is_killed(
    registered: Paths, trained_params: Params, doomed: threading.Thread, capsys: pytest.CaptureFixture[str]
) -> None:
    embed.run(registered, on_ray(trained_params))
    assert not doomed.is_alive()
    assert capsys.readouterr().out == ""
    found = contents(registered.embeddings)
    embed.run(registered, trained_params)
    assert found == contents(registered.embeddings)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EmbeddingStore:
    """5,000 galaxies in four files and blocks of 64: five spans, of which none ends with a file."""
    monkeypatch.setattr("mergerscope.search.store.BLOCK_VALUES", 0)
    writer = StoreWriter(tmp_path / "store")
    generator = np.random.default_rng(7)
    for start in range(0, 5000, 1300):
        rows = range(start, min(5000, start + 1300))
        values = generator.standard_normal((len(rows), 24), np.float32) + 0.1
        writer.add([f"g{row}" for row in rows], values, generator.standard_normal(len(rows)))
    writer.close()
    return EmbeddingStore.open(tmp_path / "store")


KNOWN = np.array([4000, 3, 500, 1024, 1023])


def test_scores_are_the_same_though_a_node_is_killed(
    store: EmbeddingStore, tmp_path: Path, nodes: Any, doomed: threading.Thread, capsys: pytest.CaptureFixture[str]
) -> None:
    import ray

    with engine("ray", tmp_path) as cluster, on_cluster(cluster):
        found = score("whitened", EmbeddingStore.open(tmp_path / "store"), KNOWN, RankParams())
        doomed.join()
        wait_for(lambda: sum(node["Alive"] for node in ray.nodes()) == 1)
    said = capsys.readouterr()
    assert said.out == ""
    # The cluster may take a moment to notice that the node of the test before is gone.
    assert re.fullmatch(r"ray: [12] of [23] nodes lost, their tasks done again by others\.\n", said.err)
    np.testing.assert_array_equal(found, score("whitened", store, KNOWN, RankParams()))


def test_every_ranker_scores_the_same(nodes: Any, store: EmbeddingStore, tmp_path: Path) -> None:
    local = {name: score(name, store, KNOWN, RankParams()) for name in RANKERS}
    with engine("ray", tmp_path) as cluster, on_cluster(cluster):
        for name, wanted in local.items():
            anew = EmbeddingStore.open(tmp_path / "store")  # of the other the moments are remembered
            np.testing.assert_array_equal(score(name, anew, KNOWN, RankParams()), wanted)


def test_ranking_writes_the_same_bytes(nodes: Any, registered: Paths, trained_params: Params) -> None:
    embed.run(registered, trained_params)
    params = on_ray(trained_params, folds=2, top=4)
    rank.run(registered, params)
    found = contents(registered.rank_results)
    rank.run(registered, params.model_copy(update={"rank": params.rank.model_copy(update={"engine": "local"})}))
    assert found == contents(registered.rank_results)


def test_results_come_in_order_and_few_tasks_wait(nodes: Any, tmp_path: Path) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(40):
            taken.append(number)
            yield number

    with engine("ray", tmp_path) as cluster:
        assert cluster is not None
        for number, squared in enumerate(cluster.map(lambda item: item**2, items())):
            assert squared == number**2
            assert len(taken) <= number + 4
    assert len(taken) == 40


def test_an_error_on_purpose_comes_out_as_it_was(nodes: Any, registered: Paths, trained_params: Params) -> None:
    (registered.shards / "shard-000001.tar").write_bytes((registered.shards / "shard-000002.tar").read_bytes())
    with pytest.raises(ContractError, match=r"shard-000001\.tar holds 3 galaxies, the manifest says 4"):
        embed.run(registered, on_ray(trained_params))
    (registered.shards / "shard-000001.tar").unlink()
    with pytest.raises(MissingInputError, match=r"shard-000001\.tar is missing"):
        embed.run(registered, on_ray(trained_params))


def test_a_node_that_cannot_do_the_same_is_refused(
    nodes: Any, registered: Paths, trained_params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine("ray", tmp_path) as cluster:
        assert cluster is not None
        with monkeypatch.context() as patch:
            patch.setattr("mergerscope.cluster.version", lambda name: "0.1")
            other_versions = cluster.map(str, [1, 2])
            with pytest.raises(ClusterError, match=r"torch .*, where .* torch 0\.1: "):
                next(other_versions)
        with pytest.raises(ClusterError, match="must be on a disk that all nodes share"):
            list(Cluster(cluster._ray, tmp_path / "elsewhere").map(str, [1]))
    cuda = trained_params.model_copy(update={"embed": trained_params.embed.model_copy(update={"device": "cuda"})})
    with pytest.raises(ParameterError, match=r"`embed.device: cuda` .* the Ray cluster has no GPU"):
        embed.run(registered, on_ray(cuda))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_no_cluster_at_the_address(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ClusterError, match=rf"RAY_ADDRESS='{address}'.*ray start --head"), engine("ray", tmp_path):
        pass
    assert not list((tmp_path / "cluster").iterdir())
