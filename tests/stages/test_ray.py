"""The engine `ray` on a cluster of this machine alone, of two nodes of which one is killed in the middle."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from mergerscope import cli
from mergerscope.cluster import QUIET, Cluster, engine
from mergerscope.errors import ClusterError, ContractError, MissingExtraError, MissingInputError, ParameterError
from mergerscope.params import Params, RankParams
from mergerscope.paths import Paths
from mergerscope.search.rankers import RANKERS, score
from mergerscope.search.store import EmbeddingStore
from mergerscope.search.stream import on_cluster
from mergerscope.search.write_store import StoreWriter
from mergerscope.stages import embed, rank

STORE_BYTES = 100 * 2**20
DOOMED = "MERGERSCOPE_TEST_DOOMED"
PATIENCE_S = 300
NOTICE = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 400}
"""A node that is gone is noticed after two seconds and not a quarter of a minute; one that is slow has as long as ever
to answer."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head that gives one core."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        # not before: what it prints depends on the environment at that moment
        from ray.cluster_utils import Cluster as Nodes

        others = children()
        head = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_dashboard": False, "_system_config": NOTICE}
        made = Nodes(initialize_head=True, head_node_args=head)
        patch.setenv("RAY_ADDRESS", made.address)
        yield made
        started = children() - others
        made.shutdown()
        assert psutil.wait_procs(started, timeout=PATIENCE_S)[1] == [], "processes of Ray are left behind"


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


@pytest.fixture
def doomed(nodes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A second node with one core, whose first task never ends and which is killed in the midst of that."""
    begun = tmp_path / "begun"
    node = nodes.add_node(num_cpus=1, object_store_memory=STORE_BYTES, env_vars={DOOMED: "1"})

    def kill() -> None:
        wait_for(begun.exists)
        nodes.remove_node(node, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    direct = Cluster.map

    def mapped(cluster: Cluster, function: Callable[[Any], Any], items: Any, on_gpu: bool = False) -> Iterator[Any]:
        yield from direct(cluster, fatal_on_one(function, begun), items, on_gpu)
        killer.join()
        # A task may be lost, and done again, a moment before its node is known to be.
        wait_for(lambda: len(cluster._alive()) == 1)

    monkeypatch.setattr(Cluster, "map", mapped)
    yield
    begun.touch()
    killer.join()


@pytest.fixture(scope="class")
def connected(nodes: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A connection for several tests: with each one Ray starts new workers, which load torch."""
    with engine("ray", tmp_path_factory.mktemp("scratch")) as cluster:
        assert cluster is not None
        yield cluster


@pytest.fixture
def on_connection(connected: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have stages use the connection that there is."""
    for stage in (embed, rank):
        monkeypatch.setattr(
            stage, "engine", lambda name, scratch: nullcontext(connected if name == "ray" else None)
        )


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
    registered: Paths, trained_params: Params, doomed: None, capsys: pytest.CaptureFixture[str]
) -> None:
    embed.run(registered, on_ray(trained_params))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith("ray: 1 of 2 nodes lost, their tasks done again by others.\n")
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


class TestConnected:
    def test_scores_are_the_same_though_a_node_is_killed(
        self, connected: Cluster, store: EmbeddingStore, tmp_path: Path, doomed: None
    ) -> None:
        with on_cluster(connected):
            found = score("whitened", EmbeddingStore.open(tmp_path / "store"), KNOWN, RankParams())
        np.testing.assert_array_equal(found, score("whitened", store, KNOWN, RankParams()))

    @pytest.mark.parametrize("name", RANKERS)
    def test_every_ranker_scores_the_same(
        self, connected: Cluster, store: EmbeddingStore, tmp_path: Path, name: str
    ) -> None:
        wanted = score(name, store, KNOWN, RankParams())
        with on_cluster(connected):
            anew = EmbeddingStore.open(tmp_path / "store")  # of the other the moments are remembered
            np.testing.assert_array_equal(score(name, anew, KNOWN, RankParams()), wanted)

    def test_ranking_writes_the_same_bytes(
        self, on_connection: None, registered: Paths, trained_params: Params
    ) -> None:
        embed.run(registered, trained_params)
        params = on_ray(trained_params, folds=2, top=4)
        rank.run(registered, params)
        found = contents(registered.rank_results)
        rank.run(registered, params.model_copy(update={"rank": params.rank.model_copy(update={"engine": "local"})}))
        assert found == contents(registered.rank_results)

    def test_results_come_in_order_and_few_tasks_wait(self, connected: Cluster) -> None:
        taken = []

        def items() -> Iterator[int]:
            for number in range(40):
                taken.append(number)
                yield number

        for number, squared in enumerate(connected.map(lambda item: item**2, items())):
            assert squared == number**2
            assert len(taken) <= number + 4
        assert len(taken) == 40

    def test_an_error_on_purpose_comes_out_as_it_was(
        self, on_connection: None, registered: Paths, trained_params: Params
    ) -> None:
        (registered.shards / "shard-000001.tar").write_bytes((registered.shards / "shard-000002.tar").read_bytes())
        with pytest.raises(ContractError, match=r"shard-000001\.tar holds 3 galaxies, the manifest says 4"):
            embed.run(registered, on_ray(trained_params))
        (registered.shards / "shard-000001.tar").unlink()
        with pytest.raises(MissingInputError, match=r"shard-000001\.tar is missing"):
            embed.run(registered, on_ray(trained_params))

    def test_a_node_that_cannot_do_the_same_is_refused(
        self, connected: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("mergerscope.cluster.version", lambda name: "0.1")
            other_versions = connected.map(str, [1, 2])
            with pytest.raises(ClusterError, match=r"torch .*, where .* torch 0\.1: "):
                next(other_versions)
        with pytest.raises(ClusterError, match="must be on a disk that all nodes share"):
            list(Cluster(connected._ray, tmp_path / "elsewhere").map(str, [1]))

    def test_a_cluster_without_a_gpu(self, on_connection: None, registered: Paths, trained_params: Params) -> None:
        cuda = trained_params.model_copy(update={"embed": trained_params.embed.model_copy(update={"device": "cuda"})})
        with pytest.raises(ParameterError, match=r"`embed.device: cuda` .* the Ray cluster has no GPU"):
            embed.run(registered, on_ray(cuda))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense"])
def test_no_cluster_at_the_address(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ClusterError, match=rf"RAY_ADDRESS='{address}'.*ray start --head"), engine("ray", tmp_path):
        pass
    assert not list((tmp_path / "cluster").iterdir())


def test_where_ray_is_not_installed_the_verb_says_what_to_do(
    registered: Paths, trained_params: Params, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registered.params.write_text(on_ray(trained_params).model_dump_json(by_alias=True), encoding="utf-8")
    monkeypatch.chdir(registered.root)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit) as caught:
        cli.main(["embed"])
    assert caught.value.code == MissingExtraError.exit_code
    said = capsys.readouterr().err
    assert said.startswith("error: The engine `ray` needs")
    assert said.endswith("pip install 'mergerscope[ray]'\n")
    assert not registered.embeddings.exists()
