"""What test_several_devices.py has a second process fail by: apart, for these need not load all that trains."""

from __future__ import annotations

import os
import signal

import torch
import torch.distributed as dist

from mergerscope.errors import MissingInputError


def stop(place, join):
    """Be killed in the midst of a training."""
    join()
    dist.all_reduce(torch.zeros(1))
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(place, join):
    """Miss a file before the training begins."""
    raise MissingInputError("shard-000007.tar", made_by="shard")


def break_down(place, join):
    """Show a bug."""
    join()
    raise ZeroDivisionError("of seven by nothing")
