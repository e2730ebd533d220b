from __future__ import annotations

import json

import pytest

from mergerscope.errors import GateError, MissingInputError
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.stages import register


def test_the_stage_writes_the_receipt_and_nothing_new_the_second_time(
    trained: Paths, trained_params: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    register.run(trained, trained_params)
    content = trained.champion.read_bytes()
    receipt = json.loads(content)
    assert (receipt["name"], receipt["alias"]) == ("mergerscope-encoder", "champion")
    captured = capsys.readouterr()
    assert captured.out == ""
    line = f"champion: mergerscope-encoder with weights {receipt['weights_sha256'][:12]}"
    assert " ".join(captured.err.split()).startswith(line)
    assert "0.6000 (untrained 0.4000)" in captured.err
    register.run(trained, trained_params)
    assert trained.champion.read_bytes() == content
    assert not list(trained.models.glob("*.new"))


def test_a_refused_encoder_leaves_the_receipt_alone(trained: Paths, trained_params: Params) -> None:
    register.run(trained, trained_params)
    content = trained.champion.read_bytes()
    metrics = trained.train_results / "metrics.json"
    metrics.write_text(metrics.read_text(encoding="utf-8").replace("0.6", "0.3"), encoding="utf-8")
    with pytest.raises(GateError, match=r"0\.3000, the untrained encoder's is 0\.4000"):
        register.run(trained, trained_params)
    assert trained.champion.read_bytes() == content


def test_without_an_encoder(trained: Paths, trained_params: Params) -> None:
    trained.encoder_weights.unlink()
    with pytest.raises(MissingInputError, match="mergerscope train"):
        register.run(trained, trained_params)
