"""The registry: one version a content, tried before it becomes the champion, and found again by every stage."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable

import mlflow
import numpy as np
import pytest
from mlflow.pyfunc.scoring_server import infer_and_parse_data

from mergerscope.errors import ContractError, GateError, MissingInputError, TrackingError
from mergerscope.learn.embed import embed_images
from mergerscope.learn.encoder import EncoderConfig, build_encoder, load_encoder, save_encoder
from mergerscope.params import Params
from mergerscope.paths import Paths
from mergerscope.survey.stretch import FluxStretch
from mergerscope.tracking import registry
from mergerscope.tracking.champion import champion_run, load_champion
from mergerscope.tracking.parameters import run_name
from mergerscope.tracking.receipt import Receipt
from mergerscope.tracking.registry import register
from mergerscope.tracking.runs import training_run
from mergerscope.tracking.store import MODEL_NAME, experiment_id, initialise

CHAMPION = f"models:/{MODEL_NAME}@champion"


def versions(paths: Paths) -> list[str]:
    found = initialise(paths).search_model_versions(f"name = '{MODEL_NAME}'")
    return sorted(str(version.version) for version in found)


def champion(paths: Paths) -> str:
    return str(initialise(paths).get_model_version_by_alias(MODEL_NAME, "champion").version)


def accept(paths: Paths, params: Params) -> Receipt:
    """What the stage does."""
    receipt = register(paths, params)
    receipt.save(paths.champion)
    return receipt


def test_the_same_encoder_is_registered_once_and_the_receipt_keeps_its_bytes(paths: Paths, params: Params) -> None:
    accept(paths, params)
    content = paths.champion.read_bytes()
    accept(paths, params)
    assert versions(paths) == ["1"]
    assert paths.champion.read_bytes() == content


def test_the_receipt_tells_content_alone(paths: Paths, params: Params) -> None:
    accept(paths, params)
    run = champion_run(paths)
    text = paths.champion.read_text(encoding="utf-8")
    tree = json.loads(text)
    assert list(tree) == [
        "name", "alias", "weights_sha256", "config_sha256", "embedding_dim", "image_shape", "validation",
    ]
    assert (tree["embedding_dim"], tree["image_shape"]) == (8, [3, 16, 16])
    assert tree["validation"]["trained"]["average_precision"] == 0.6
    assert run.id not in text
    assert not re.search(r"\b[0-9a-f]{32}\b|\d{4}-\d\d-\d\d", text)
    receipt = Receipt.load(paths.champion)
    assert Receipt.from_tags(MODEL_NAME, "champion", receipt.tags()) == receipt


def test_an_old_encoder_that_comes_back_finds_its_version(
    paths: Paths, params: Params, retrain: Callable[..., None]
) -> None:
    first = accept(paths, params)
    retrain(paths, seed=2)
    second = accept(paths, params)
    assert (versions(paths), champion(paths)) == (["1", "2"], "2")
    assert second.weights_sha256 != first.weights_sha256
    retrain(paths, seed=1)
    assert accept(paths, params) == first
    assert (versions(paths), champion(paths)) == (["1", "2"], "1")


def test_the_version_belongs_to_the_run_that_trained_it(paths: Paths, params: Params) -> None:
    with training_run(paths, params) as run:
        run.log_epoch(1, {"loss": 2.0})
    accept(paths, params)
    assert champion_run(paths).id == run.id
    client = initialise(paths)
    assert len(client.search_runs([experiment_id(client)])) == 1
    (model,) = client.search_logged_models([experiment_id(client)])
    assert model.source_run_id == run.id
    assert model.params["train.epochs"] == "2"


def test_an_empty_registry_is_filled_from_the_files(paths: Paths, params: Params) -> None:
    accept(paths, params)
    found = initialise(paths).get_run(champion_run(paths).id)
    assert found.info.run_name == run_name(params)
    assert (found.info.status, found.data.tags["restored"]) == ("FINISHED", "true")
    assert found.data.params["train.epochs"] == "2"
    history = initialise(paths).get_metric_history(found.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 2.5), (2, 1.5)]
    assert found.data.metrics["validation_recall"] == 0.25


def test_the_model_takes_images_and_gives_what_the_encoder_gives(paths: Paths, params: Params) -> None:
    accept(paths, params)
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 16, 16), np.uint8)
    encoder = load_encoder(paths.encoder_weights, paths.encoder_config)
    model = mlflow.pyfunc.load_model(CHAMPION)
    for views in (1, 8):
        expected = embed_images(encoder, images, views=views, batch_size=64).embedding
        np.testing.assert_allclose(model.predict(images, params={"views": views}), expected, rtol=1e-5, atol=1e-5)
    predicted = model.predict(images)
    np.testing.assert_array_equal(predicted, model.predict(images, params={"views": 8}))
    assert (predicted.dtype, predicted.shape) == (np.float32, (5, 8))


def test_a_model_of_flux_takes_flux_and_no_pictures(paths: Paths, params: Params) -> None:
    stretch = FluxStretch("legacy", ("g", "r", "i", "z"))
    config = EncoderConfig(18, 0.125, 8, "last", 4, 16, pairs_head=False, flux=stretch)
    save_encoder(build_encoder(config, 1), paths.encoder_weights, paths.encoder_config)
    accept(paths, params)
    flux = np.random.default_rng(0).normal(0.02, 0.05, (3, 4, 16, 16)).astype(np.float32)
    encoder, receipt = load_champion(paths)
    assert receipt.image_shape == [4, 16, 16]
    assert encoder.config == config
    model = mlflow.pyfunc.load_model(CHAMPION)
    expected = embed_images(encoder, flux, views=8, batch_size=64).embedding
    np.testing.assert_allclose(model.predict(flux), expected, rtol=1e-5, atol=1e-5)
    assert not np.allclose(expected[0], expected[1], rtol=1e-2)
    # as a client sends it to a server
    sent = infer_and_parse_data(json.loads(json.dumps({"instances": flux.tolist()})), model.metadata.get_input_schema())
    np.testing.assert_allclose(model.predict(sent), expected, rtol=1e-5, atol=1e-5)
    for other in (np.zeros((1, 4, 16, 16), np.uint8), flux.astype(np.float64)):
        with pytest.raises(mlflow.MlflowException):
            model.predict(other)


@pytest.mark.parametrize("images", [
    np.zeros((1, 3, 16, 16), np.float32), np.zeros((1, 3, 15, 16), np.uint8), np.zeros((3, 16, 16), np.uint8),
])
def test_the_signature_refuses_what_is_no_batch_of_its_images(paths: Paths, params: Params, images: np.ndarray) -> None:
    accept(paths, params)
    with pytest.raises(mlflow.MlflowException):
        mlflow.pyfunc.load_model(CHAMPION).predict(images)


def test_views_must_be_one_or_eight(paths: Paths, params: Params) -> None:
    accept(paths, params)
    with pytest.raises(mlflow.MlflowException, match="1 or 8, got 3"):
        mlflow.pyfunc.load_model(CHAMPION).predict(np.zeros((1, 3, 16, 16), np.uint8), params={"views": 3})


def test_the_model_has_signature_example_and_requirements(paths: Paths, params: Params) -> None:
    accept(paths, params)
    info = mlflow.models.get_model_info(CHAMPION)
    assert info.signature.inputs.inputs[0].shape == (-1, 3, 16, 16)
    assert info.signature.outputs.inputs[0].shape == (-1, 8)
    model = mlflow.pyfunc.load_model(CHAMPION)
    example = model.input_example
    assert (example.dtype, example.shape) == (np.uint8, (1, 3, 16, 16))
    assert model.predict(example).shape == (1, 8)
    requirements = mlflow.pyfunc.get_model_dependencies(CHAMPION)
    with open(requirements, encoding="utf-8") as file:  # noqa: PTH123
        assert {line.partition("==")[0] for line in file} >= {"mergerscope", "torch", "safetensors"}


def test_nothing_on_the_load_path_unpickles(
    paths: Paths, params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(paths, params)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a pickle was opened")

    for name in ("pickle.load", "pickle.loads", "pickle.Unpickler", "torch.load", "cloudpickle.load", "joblib.load"):
        monkeypatch.setattr(name, refuse)
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    encoder, _ = load_champion(paths)
    assert encoder.config.embedding_dim == 8
    files = [path.suffix for path in (paths.root / "mlartifacts").rglob("*.*") if path.is_file()]
    assert ".safetensors" in files
    assert not {".pkl", ".pickle", ".pt", ".pth", ".joblib"} & set(files)


@pytest.mark.parametrize(("trained", "untrained"), [(0.4, 0.4), (0.39999, 0.4), (float("nan"), 0.4), (None, None)])
def test_the_gate_refuses_what_does_not_beat_the_untrained_encoder(
    paths: Paths, params: Params, rejudge: Callable[..., None], trained: float | None, untrained: float | None
) -> None:
    rejudge(paths, trained, untrained)
    with pytest.raises(GateError) as caught:
        accept(paths, params)
    message = str(caught.value)
    assert "register.gate: none" in message
    assert ("0.4000" if untrained else "none") in message
    assert not paths.champion.exists()
    assert not versions(paths)
    open_gate = params.model_copy(update={"register_": params.register_.model_copy(update={"gate": "none"})})
    accept(paths, open_gate)
    assert versions(paths) == ["1"]


def test_scores_that_are_not_there_are_an_error_of_their_own(paths: Paths, params: Params) -> None:
    metrics = paths.train_results / "metrics.json"
    metrics.write_text('{"validation": {"trained": {}}}', encoding="utf-8")
    with pytest.raises(ContractError, match="untrained"):
        register(paths, params)
    metrics.unlink()
    with pytest.raises(MissingInputError, match="mergerscope train"):
        register(paths, params)


def test_if_better_keeps_the_better_one(
    paths: Paths, params: Params, retrain: Callable[..., None], rejudge: Callable[..., None]
) -> None:
    careful = params.model_copy(update={"register_": params.register_.model_copy(update={"promote": "if_better"})})
    first = accept(paths, careful)
    retrain(paths, seed=2)
    rejudge(paths, 0.59, 0.4)
    assert accept(paths, careful) == first
    assert (versions(paths), champion(paths)) == (["1", "2"], "1")
    rejudge(paths, 0.61, 0.4)
    assert accept(paths, careful).validation["trained"]["average_precision"] == 0.61  # type: ignore[index]
    assert (versions(paths), champion(paths)) == (["1", "2"], "2")


@pytest.mark.parametrize(("judged_on", "message"), [
    ({"survey": "a1b2c3d4e5f6"}, "survey a1b2c3d4e5f6 against 5ca1ab1e0000"),
    ({"split": "a1b2c3d4e5f6"}, "split a1b2c3d4e5f6 against 0ddba11f0000"),
    ({"survey": None}, "survey unknown against 5ca1ab1e0000"),
])  # fmt: skip
def test_if_better_compares_no_scores_of_other_surveys_or_splits(
    paths: Paths, params: Params, retrain: Callable[..., None], rejudge: Callable[..., None],
    judged_on: dict[str, str | None], message: str,
) -> None:
    careful = params.model_copy(update={"register_": params.register_.model_copy(update={"promote": "if_better"})})
    first = accept(paths, careful)
    retrain(paths, seed=2)
    rejudge(paths, 0.99, 0.4, **judged_on)
    with pytest.raises(GateError, match=f"{message}.*promote: always"):
        accept(paths, careful)
    assert (champion(paths), Receipt.load(paths.champion)) == ("1", first)
    accept(paths, params)
    assert champion(paths) == "2"


def test_if_better_takes_the_place_of_a_champion_without_a_score_wherever_it_was_judged(
    paths: Paths, params: Params, retrain: Callable[..., None], rejudge: Callable[..., None]
) -> None:
    free = params.register_.model_copy(update={"promote": "if_better", "gate": "none"})
    careful = params.model_copy(update={"register_": free})
    rejudge(paths, None, None)
    accept(paths, careful)
    retrain(paths, seed=2)
    rejudge(paths, 0.5, 0.4, survey="a1b2c3d4e5f6")
    accept(paths, careful)
    assert champion(paths) == "2"


def test_if_better_cannot_judge_a_champion_of_unknown_score(
    paths: Paths, params: Params, retrain: Callable[..., None]
) -> None:
    accept(paths, params)
    initialise(paths).delete_model_version_tag(MODEL_NAME, "1", "validation")
    retrain(paths, seed=2)
    careful = params.model_copy(update={"register_": params.register_.model_copy(update={"promote": "if_better"})})
    with pytest.raises(ContractError, match=r"no 'validation'.*promote: always"):
        accept(paths, careful)


def test_a_model_that_predicts_something_else_never_becomes_champion(
    paths: Paths, params: Params, retrain: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(paths, params)
    retrain(paths, seed=2)
    direct = registry.load_encoder

    def other(*files: object) -> object:
        encoder = direct(*files)  # type: ignore[arg-type]
        encoder.components.mul_(-1)
        return encoder

    monkeypatch.setattr(registry, "load_encoder", other)
    with pytest.raises(ContractError, match="gives other embeddings"):
        accept(paths, params)
    assert champion(paths) == "1"


def test_lost_artifacts_are_logged_anew(paths: Paths, params: Params) -> None:
    accept(paths, params)
    shutil.rmtree(paths.root / "mlartifacts" / "models")
    with pytest.raises(TrackingError, match="mergerscope register"):
        load_champion(paths)
    accept(paths, params)
    load_champion(paths)
    assert champion(paths) == "2"


def test_a_lost_run_is_written_anew(paths: Paths, params: Params) -> None:
    with training_run(paths, params) as run:
        pass
    accept(paths, params)
    initialise(paths).delete_run(run.id)
    accept(paths, params)
    assert champion_run(paths).id != run.id


def test_a_moved_alias_and_changed_weights_are_noticed(
    paths: Paths, params: Params, retrain: Callable[..., None]
) -> None:
    accept(paths, params)
    retrain(paths, seed=2)
    accept(paths, params)
    encoder, receipt = load_champion(paths)
    assert (encoder.config.output_dim, receipt.embedding_dim, encoder.training) == (8, 8, False)
    initialise(paths).set_registered_model_alias(MODEL_NAME, "champion", "1")
    with pytest.raises(ContractError, match="another model"):
        load_champion(paths)
    accept(paths, params)
    load_champion(paths)
    (weights,) = [
        path for path in (paths.root / "mlartifacts").rglob("*.safetensors")
        if path.read_bytes() == paths.encoder_weights.read_bytes()
    ]
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ContractError, match="another model"):
        load_champion(paths)


def test_without_a_champion_the_way_is_told(paths: Paths, params: Params) -> None:
    with pytest.raises(MissingInputError, match="mergerscope register"):
        load_champion(paths)
    with pytest.raises(TrackingError, match="mergerscope register"):
        champion_run(paths)
    accept(paths, params)
    initialise(paths).delete_registered_model(MODEL_NAME)
    with pytest.raises(TrackingError, match="mergerscope register"):
        load_champion(paths)


def test_a_moved_project_still_has_its_champion(paths: Paths, params: Params) -> None:
    accept(paths, params)
    moved = Paths(paths.root.with_name("moved"))
    paths.root.rename(moved.root)
    load_champion(moved)
    assert accept(moved, params)
    assert versions(moved) == ["1"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": 1, "surprise": 2}'])
def test_a_receipt_of_no_use_is_told(paths: Paths, text: str) -> None:
    paths.champion.write_text(text, encoding="utf-8")
    with pytest.raises(ContractError, match="mergerscope register"):
        Receipt.load(paths.champion)
