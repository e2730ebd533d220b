"""Which device and which precision are taken."""

import pytest
import torch

from mergerscope.errors import ParameterError
from mergerscope.learn import device
from mergerscope.learn.device import autocast, computes_bf16, pick_device, takes_bf16

CPU = torch.device("cpu")


@pytest.mark.parametrize(("name", "there", "expected"), [
    ("cpu", True, "cpu"), ("cpu", False, "cpu"), ("auto", False, "cpu"), ("auto", True, "cuda"), ("cuda", True, "cuda"),
])  # fmt: skip
def test_the_device(monkeypatch, name, there, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert pick_device(name).type == expected


def test_cuda_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ParameterError, match=r"`device: cuda`.*no CUDA device.*auto or cpu"):
        pick_device("cuda")


@pytest.mark.parametrize(
    ("found", "expected"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_bf16": False, "avx2": True}, False),
     ({}, False)],
)  # fmt: skip
def test_auto_takes_bf16_where_the_cpu_multiplies_it(monkeypatch, found, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found)
    assert computes_bf16(CPU) is expected
    assert takes_bf16("auto", CPU) is expected


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_auto_takes_bf16_from_ampere_on(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda which: capability)
    assert takes_bf16("auto", torch.device("cuda")) is expected


@pytest.mark.parametrize("hardware", [True, False])
def test_what_is_asked_for_is_taken(monkeypatch, hardware):
    monkeypatch.setattr(device, "computes_bf16", lambda which: hardware)
    assert takes_bf16("bf16", CPU)
    assert not takes_bf16("32", CPU)


@pytest.mark.parametrize(("precision", "expected"), [("bf16", torch.bfloat16), ("32", torch.float32)])
def test_products_have_that_precision(precision, expected):
    x = torch.ones(2, 2)
    with autocast(CPU, precision):
        assert (x @ x).dtype == expected
