"""params.yaml as frozen typed objects: one class a block, a sentence a field."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mergerscope.errors import ParameterError

__all__ = [
    "EmbedParams",
    "EncoderParams",
    "EvaluateParams",
    "MocoParams",
    "ObjectiveParams",
    "PairsParams",
    "Params",
    "RankParams",
    "RegisterParams",
    "ReportParams",
    "ShardParams",
    "SimclrParams",
    "SplitParams",
    "SurveyParams",
    "TargetParams",
    "TrainParams",
    "ViewsParams",
    "load_params",
    "parse_params",
]

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Device = Literal["auto", "cpu", "cuda"]
RankerName = Literal[
    "auto", "mean_cosine", "centred", "whitened", "nearest", "contrast", "density", "lda", "logistic", "pairs_head",
    "blend",
]


def _ascending(value: tuple[float, float]) -> tuple[float, float]:
    if not 0 < value[0] <= value[1]:
        raise ValueError(f"must be a range [low, high] with 0 < low <= high, got [{value[0]}, {value[1]}]")
    return value


# A YAML list becomes a tuple; strict mode would refuse it, so this one field type is relaxed.
Range = Annotated[tuple[float, float], Field(strict=False), AfterValidator(_ascending)]


class Block(BaseModel):
    """Base of every block: unknown names and silent conversions are refused, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class SurveyParams(Block):
    """Where the survey lies and how it is laid out."""

    root: str = "data"
    """The survey's folder, relative to the project's root or absolute."""
    format: Literal["auto", "kaggle", "table"] = "auto"
    """`kaggle`: images_training_rev1 and training_solutions_rev1.csv, as folder, file or zip; `table`: catalog.csv or .parquet beside images; `auto` looks which of them is there."""  # noqa: E501


class TargetParams(Block):
    """Which galaxies are searched for."""

    column: str = "Class8.6"
    """A vote column of the survey (fractions in 0...1)."""
    threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """A galaxy is a known merger where its vote lies above; a blank vote is unknown, not a no."""


class SplitParams(Block):
    """How the known mergers are divided into references and hidden test positives."""

    seed: int = 5
    """Seed of the hash of the id that decides a galaxy's role."""
    hidden_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.3333
    """Expected share of the known mergers that is hidden until `evaluate`."""


class ShardParams(Block):
    """How images are cut, scaled and packed."""

    crop: Fraction = 0.5
    """Side of the central square that is kept, as a fraction of the shorter side of the field."""
    size: Annotated[int, Field(ge=16, le=1024)] = 64
    """Pixels a side after the crop."""
    per_shard: Positive = 1000
    """Galaxies a shard."""
    workers: Count = 0
    """Processes that decode; 0 means one a core."""
    max_refused: Annotated[float, Field(ge=0, le=1)] = 0.05
    """The stage stops when a larger share of the survey is refused."""


class ViewsParams(Block):
    """The random views of a galaxy that training sees."""

    strength: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Scales every augmentation at once: 0 leaves the image as it is, 1 is the strongest."""
    min_field: Annotated[float, Field(ge=0.3, le=1)] = 0.8
    """Smallest field of view, as a fraction of the cutout, that a zoom may leave: a tight crop cuts the companion off."""  # noqa: E501


class EncoderParams(Block):
    """The network: a ResNet with torchvision's parameter names."""

    depth: Literal[18, 34, 50] = 18
    """Number of layers of the published network."""
    width: Annotated[float, Field(ge=0.125, le=4)] = 0.5
    """Channels as a fraction of the published network's."""
    embedding_dim: Annotated[int, Field(ge=2, le=8192)] = 512
    """Numbers an embedding has at most (see `embed.pooling`)."""


class PairsParams(Block):
    """Synthetic mergers: the light of one galaxy laid over another, told from singles and impostors."""

    weight: Annotated[float, Field(ge=0)] = 1.0
    """Weight of this term in the loss; 0 leaves it out."""
    separation: Range = (0.25, 1.1)
    """Distance of the two centres in units of the sum of the two galaxies' radii, drawn uniformly."""
    size_ratio: Range = (0.5, 1.2)
    """Size of the second galaxy in units of its own, drawn uniformly."""
    flux_ratio: Range = (0.5, 1.3)
    """Brightness of the second galaxy in units of its own, drawn uniformly."""
    encounters: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the synthetic mergers that are simulated encounters, with tides, in the place of the galaxy."""


class SimclrParams(Block):
    """NT-Xent between two views (Chen et al. 2020, arXiv:2002.05709)."""

    weight: Annotated[float, Field(ge=0)] = 0.3
    """Weight of this term in the loss; 0 leaves it out."""


class MocoParams(Block):
    """MoCo v2: momentum encoder, queue, InfoNCE (Chen et al. 2020, arXiv:2003.04297)."""

    weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of this term in the loss; 0 leaves it out."""
    queue: Positive = 4096
    """Negatives kept; capped at half the number of training images."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.99
    """Of the key encoder's moving average, a step."""


class ObjectiveParams(Block):
    """What is learnt: a weighted sum of terms."""

    temperature: Annotated[float, Field(gt=0)] = 0.2
    """Of the contrastive terms."""
    projection_dim: Positive = 128
    """Numbers a projection has, on which the contrastive terms work."""
    pairs: PairsParams = PairsParams()
    simclr: SimclrParams = SimclrParams()
    moco: MocoParams = MocoParams()

    @model_validator(mode="after")
    def _one_term(self) -> ObjectiveParams:
        if not self.weights:
            raise ValueError("at least one of pairs.weight, simclr.weight, moco.weight must be above 0")
        return self

    @property
    def weights(self) -> dict[str, float]:
        """Weight by term, of the terms that take part."""
        every = {"pairs": self.pairs.weight, "simclr": self.simclr.weight, "moco": self.moco.weight}
        return {term: weight for term, weight in every.items() if weight > 0}

    @property
    def name(self) -> str:
        """For runs and tables: ``pairs+0.3simclr``."""
        return "+".join(term if weight == 1 else f"{weight:g}{term}" for term, weight in self.weights.items())


class TrainParams(Block):
    """How the encoder is trained."""

    images: Literal["all", "references"] = "all"
    """`all`: every galaxy, without its label; `references`: the known mergers alone."""
    epochs: Positive = 32
    """Passes over the images."""
    batch_size: Annotated[int, Field(ge=2)] = 128
    """Galaxies a step."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.001
    """Peak learning rate of AdamW, after the warm-up and before the cosine decay."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0001
    """Of AdamW; biases and normalisation are left out."""
    warmup_epochs: Annotated[float, Field(ge=0)] = 1.0
    """Epochs of linear warm-up."""
    precision: Literal["auto", "32", "bf16"] = "auto"
    """`auto` takes bf16 where the hardware computes in it."""
    device: Device = "auto"
    """`auto` takes CUDA where there is one."""
    workers: Count = 1
    """Loader processes."""
    patience: Count = 0
    """Epochs without a better validation average precision before training stops; 0 never stops early."""
    monitor_images: Annotated[int, Field(ge=2)] = 1000
    """Galaxies embedded for the monitors of each epoch."""
    monitor_k: Positive = 100
    """The k of the recall@k on validation folds."""
    seed: Annotated[int, Field(ge=0, lt=10**9)] = 1
    """Of weights, order and views."""


class RegisterParams(Block):
    """What it takes to become the champion."""

    gate: Literal["beats_untrained", "none"] = "beats_untrained"
    """`beats_untrained` refuses a model whose validation score does not exceed the untrained encoder's."""
    promote: Literal["always", "if_better"] = "always"
    """`if_better` moves the alias only when the validation score beats the present champion's."""


class EmbedParams(Block):
    """How galaxies become vectors."""

    pooling: Literal["last", "stages"] = "stages"
    """`last`: the mean of the last stage; `stages`: mean and maximum of every stage, reduced to `encoder.embedding_dim` where that is smaller."""  # noqa: E501
    views: Literal[1, 8] = 8
    """8 averages over the rotations and flips of the square."""
    batch_size: Positive = 256
    """Galaxies a forward pass."""
    device: Device = "auto"
    """`auto` takes CUDA where there is one."""


class EvaluateParams(Block):
    """How the ranking is judged."""

    splits: Positive = 5
    """Splits of the known mergers into references and hidden ones; the first is the catalogue's own."""
    bootstrap: Annotated[int, Field(ge=100)] = 1000
    """Resamples behind every interval."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Of the intervals."""
    unknown: Literal["leave_out", "negative"] = "leave_out"
    """What a galaxy without a vote counts as in the metrics."""
    baseline_epochs: Positive = 100
    """Of the baseline that trains MoCo v2 on the references alone."""


class RankParams(Block):
    """How galaxies are ordered by likeness to the references."""

    ranker: RankerName = "auto"
    """`auto` chooses by cross-validation over references."""
    nearest_references: Positive = 10
    """The m of `nearest` and `contrast`."""
    nearest_background: Positive = 200
    """The n of `contrast`."""
    folds: Annotated[int, Field(ge=2)] = 6
    """Random folds of the cross-validation over references."""
    top: Positive = 500
    """Galaxies in the shortlist."""


class ReportParams(Block):
    """What the report shows."""

    gallery: Positive = 16
    """Pictures a gallery."""
    map: Literal["auto", "umap", "pca"] = "auto"
    """The map of the embedding; `auto` takes UMAP where it is installed."""
    map_galaxies: Annotated[int, Field(ge=10)] = 5000
    """Galaxies on that map at most, drawn at random beside all known mergers."""
    completeness: bool = False
    """Whether to show what `mergerscope completeness` found; it must have been run."""


class Params(Block):
    """All of params.yaml."""

    survey: SurveyParams = SurveyParams()
    target: TargetParams = TargetParams()
    split: SplitParams = SplitParams()
    shard: ShardParams = ShardParams()
    views: ViewsParams = ViewsParams()
    encoder: EncoderParams = EncoderParams()
    objective: ObjectiveParams = ObjectiveParams()
    train: TrainParams = TrainParams()
    # `register` itself is a method of every abstract base class, so the attribute carries an underscore.
    register_: RegisterParams = Field(default=RegisterParams(), alias="register")
    embed: EmbedParams = EmbedParams()
    evaluate: EvaluateParams = EvaluateParams()
    rank: RankParams = RankParams()
    report: ReportParams = ReportParams()


def load_params(path: Path) -> Params:
    """Read and check ``params.yaml``; a block or field that is left out takes its default.

    Raises:
        ParameterError: the file is missing, is no YAML mapping, or a value has a wrong name, type or range.
    """
    try:
        # ruamel reads YAML 1.2 as DVC does: 1e-3 is a number and off is a word, unlike in PyYAML.
        tree = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParameterError(f"{path} is missing: run mergerscope inside a project, or pass --params.") from None
    except YAMLError as error:
        raise ParameterError(f"{path} is no valid YAML: {error}") from None
    return parse_params(tree if tree is not None else {}, source=path.name)


def parse_params(tree: Any, source: str = "params.yaml") -> Params:
    """Check a plain nested mapping, as read from YAML, and return it typed.

    Raises:
        ParameterError: every wrong entry by its dotted path, with what was got and, for an unknown name,
            the nearest known one.
    """
    try:
        return Params.model_validate(tree)
    except ValidationError as error:
        lines = [f"{source}: {_explain(problem)}" for problem in error.errors()]
        raise ParameterError("\n".join(lines)) from None


def _explain(problem: Any) -> str:
    path = [str(part) for part in problem["loc"]]
    dotted = ".".join(path) or "the file"
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], _names_in(path[:-1]), n=1, cutoff=0.5)
        hint = f"did you mean `{'.'.join([*path[:-1], near[0]])}`?" if near else (
            f"known here: {', '.join(_names_in(path[:-1]))}."
        )
        return f"`{dotted}` is no parameter; {hint}"
    reason = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"`{dotted}` {reason}; got {problem['input']!r}."


def _names_in(path: list[str]) -> list[str]:
    block: Any = Params
    for part in path:
        block = {field.alias or name: field.annotation for name, field in block.model_fields.items()}[part]
    return [field.alias or name for name, field in block.model_fields.items()]
