"""Where the network runs, and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from mergerscope.errors import ParameterError

__all__ = ["autocast", "computes_bf16", "pick_device", "takes_bf16"]


def pick_device(name: str) -> torch.device:
    """Return the device for ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ParameterError: ``cuda`` is asked for where there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ParameterError("`device: cuda` was asked for, and torch finds no CUDA device here. Use auto or cpu.")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def computes_bf16(device: torch.device) -> bool:
    """Whether the hardware multiplies bf16 itself: elsewhere it is emulated, and slower than float32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def takes_bf16(precision: str, device: torch.device) -> bool:
    """Resolve ``auto``, ``32`` or ``bf16``."""
    return precision == "bf16" or (precision == "auto" and computes_bf16(device))


def autocast(device: torch.device, precision: str = "auto") -> AbstractContextManager[object]:
    """Return the context in which forward passes run."""
    return torch.autocast(device.type, torch.bfloat16, enabled=takes_bf16(precision, device))
