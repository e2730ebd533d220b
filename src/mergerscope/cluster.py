"""One function over many items on all machines of a Ray cluster. No other file knows Ray.

A task is run again where its worker or node is lost, so it must do no harm twice: it writes new-then-rename, or only
returns what it found.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, TypeVar
from uuid import uuid4

from mergerscope.errors import ClusterError, MergerscopeError, MissingExtraError
from mergerscope.progress import console

__all__ = ["Cluster", "engine"]

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4
"""Tasks a free core, or GPU, that are handed out before the first of them is done: bounds the memory."""

REACH_S = 10
"""Seconds that the head of a cluster has to answer."""

RETRIES = 5
"""Times that a task is run again after its worker was lost."""

ALIKE = ("mergerscope", "numpy", "ray", "torch")
"""Packages on which the bytes of a result depend."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # It would upload the working directory to the cluster where the program was started by `uv run`.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # Of a lost node Ray prints thirty lines of its log to stdout.
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",
    # Without it Ray warns of what a later version will do.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""Read by Ray when it is imported: nobody is called home, and nothing is printed."""


@contextmanager
def engine(name: Literal["local", "ray"], scratch: Path) -> Iterator[Cluster | None]:
    """Connect to the Ray cluster that ``RAY_ADDRESS`` names, or that runs here, or to one started for this alone.

    Yields None for ``local``. Whatever still runs on the cluster is stopped when the block ends, well or not.

    Args:
        name: the parameter `engine`.
        scratch: folder of resume points of the project, which every node must see.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: there is no cluster at the address, or it has no core to give.
    """
    if name == "local":
        yield None
        return
    ray = _import_ray()
    place = scratch.absolute() / "cluster"
    place.mkdir(parents=True, exist_ok=True)
    sign = place / uuid4().hex
    sign.touch()
    try:
        _connect(ray)
        cluster = Cluster(ray, sign)
        try:
            yield cluster
            cluster.tell_losses()
        finally:
            ray.shutdown()
    finally:
        sign.unlink(missing_ok=True)


class Cluster:
    """A Ray cluster to which this process is connected.

    Attributes:
        cores: CPU cores that it gives to tasks.
        gpus: GPUs likewise.
    """

    def __init__(self, ray: Any, sign: Path) -> None:
        """Take the connection of this process; ``sign`` is a file that all nodes must see."""
        self._ray = ray
        self._sign = sign
        self._nodes = self._alive()
        resources = ray.cluster_resources()
        self.cores, self.gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
        if self.cores < 1:
            raise ClusterError("the Ray cluster has no CPU core for tasks: start nodes with `ray start --address=...`.")

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], on_gpu: bool = False
    ) -> Generator[Result, None, None]:
        """Yield ``function(item)`` for every item, in order; each is a task with a core, or a GPU, of its own.

        ``function`` travels to each worker process once. At most `AHEAD` tasks a core are in flight.

        Raises:
            MergerscopeError: the first error that a task raised on purpose.
            ClusterError: a task's workers were lost `RETRIES` times over, a node does not see the project, or has
                other versions of what results depend on.
        """
        ray = self._ray
        options = {"num_cpus": 1, "num_gpus": int(on_gpu), "max_calls": 0, "max_retries": RETRIES}
        task = ray.remote(**options)(_run)
        # In a list: Ray would replace a bare reference by what it stands for, in every task anew.
        shared = [ray.put((function, self._sign, _versions()))]
        ahead = max(2, AHEAD * (self.gpus if on_gpu else self.cores))
        waiting: deque[Any] = deque()
        for item in items:
            waiting.append(task.remote(shared, item))
            if len(waiting) >= ahead:
                yield self._result(waiting.popleft())
        while waiting:
            yield self._result(waiting.popleft())

    def tell_losses(self) -> None:
        """Print how many nodes were lost since the start, if any."""
        lost = len(self._nodes - self._alive())
        if lost:
            console.print(f"ray: {lost} of {len(self._nodes)} nodes lost, their tasks done again by others.")

    def _alive(self) -> set[str]:
        return {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}

    def _result(self, task: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(task)
        except errors.RayTaskError as error:
            if isinstance(error.cause, MergerscopeError):
                raise error.cause from None
            raise
        except errors.RayError as error:
            raise ClusterError(
                f"the Ray cluster gave up on a task: {_in_short(error)}. What is finished is kept: look after the "
                "cluster (`ray status`), and run the stage again."
            ) from error


def _run(shared: list[Any], item: Any) -> Any:
    """What a worker does: get the function, once a process, and call it."""
    return _function(shared[0])(item)


@lru_cache(maxsize=1)
def _function(reference: Any) -> Callable[[Any], Any]:
    function, sign, versions = _import_ray().get(reference)
    here = socket.gethostname()
    if not sign.is_file():
        raise ClusterError(
            f"the node {here} does not see {sign.parent} of this run. The project's folder must be on a disk that all "
            "nodes share, under the same path."
        )
    other = {name: found for name, found in _versions().items() if found != versions[name]}
    if other:
        raise ClusterError(
            f"the node {here} has {', '.join(f'{name} {found}' for name, found in other.items())}, where the stage "
            f"was started {', '.join(f'{name} {versions[name]}' for name in other)}: results would differ. Install "
            "the same on all nodes."
        )
    shared_function: Callable[[Any], Any] = function
    return shared_function


def _connect(ray: Any) -> None:
    address = os.environ.get("RAY_ADDRESS", "")
    host, _, port = address.rpartition(":")
    try:
        if port.isdigit() and "/" not in host:
            # Ray itself would try for more than five minutes.
            socket.create_connection((host.strip("[]"), int(port)), REACH_S).close()
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ClusterError(
            f"no Ray cluster can be used at RAY_ADDRESS={address!r}: {_in_short(error)}. Start one with `ray start "
            "--head`, set RAY_ADDRESS to its address, or set the engine to local."
        ) from error


def _import_ray() -> Any:
    os.environ.update(QUIET)
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingExtraError("ray", extra="ray", purpose="The engine `ray`") from error
    return ray


def _versions() -> dict[str, str]:
    found = {}
    for name in ALIKE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _in_short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}".strip(": .")
