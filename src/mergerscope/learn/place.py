"""Where a process stands among those that train together."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import torch
import torch.distributed as dist

from mergerscope.errors import ParameterError
from mergerscope.params import TrainParams

__all__ = ["Place", "batch_of", "launched", "place_of"]


@dataclass(frozen=True, slots=True)
class Place:
    """One of ``processes`` processes, each with a device of its own."""

    rank: int = 0
    processes: int = 1
    local_rank: int = 0
    """Among those on this machine."""
    local_processes: int = 1
    launched: bool = False
    """Whether a launcher, such as torchrun, has started them all."""

    @property
    def machines(self) -> int:
        """Machines that train together."""
        return self.processes // self.local_processes

    def helpers(self) -> list[Place]:
        """Return the places of the processes that the first one has to start."""
        if self.launched:
            return []
        return [replace(self, rank=rank, local_rank=rank) for rank in range(1, self.processes)]


def launched() -> Place | None:
    """Return the place that torchrun has given this process; None in one that it has not started."""
    if not dist.is_available() or not dist.is_torchelastic_launched():
        return None
    rank, processes, local_rank, local_processes = (
        int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    )
    return Place(rank, processes, local_rank, local_processes, launched=True)


def place_of(train: TrainParams, device: torch.device) -> Place:
    """Return the place of this process in the training that the parameters ask for.

    Raises:
        ParameterError: there are fewer devices, or the launcher has started another number of processes.
    """
    found = torch.cuda.device_count() if device.type == "cuda" else None
    if found is not None and found < train.devices:
        raise ParameterError(
            f"`train.devices` is {train.devices}, and torch finds {found} CUDA devices here. Set it to {found}."
        )
    given = launched()
    if given is None:
        return Place(processes=train.devices, local_processes=train.devices)
    if given.local_processes != train.devices:
        raise ParameterError(
            f"`train.devices` is {train.devices}, and the launcher has started {given.local_processes} processes on "
            f"this machine. Set it to {given.local_processes}, or launch with --nproc-per-node {train.devices}."
        )
    return given


def batch_of(train: TrainParams, images: int, processes: int) -> int:
    """Return the galaxies a step of each process; of fewer images than `train.batch_size`, as many as there are.

    Raises:
        ParameterError: they cannot be dealt out evenly, or there are less than two for each.
    """
    if processes == 1:
        return min(train.batch_size, images)
    if train.batch_size % processes:
        raise ParameterError(
            f"`train.batch_size` is {train.batch_size}, of all devices together, and {processes} devices cannot share "
            f"it evenly. Take a multiple of {processes}."
        )
    batch = min(train.batch_size, images) // processes
    if batch < 2:
        raise ParameterError(
            f"{processes} devices have {batch} galaxies a step each (`train.batch_size` {train.batch_size}, {images} "
            "images), and need two. Lower `train.devices`, or take larger batches."
        )
    return batch
