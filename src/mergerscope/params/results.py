"""What is done with a trained encoder: register, embed, evaluate, rank, report."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mergerscope.params.fields import Block, Device, Engine, Positive, RankerName

__all__ = ["EmbedParams", "EvaluateParams", "RankParams", "RegisterParams", "ReportParams"]


class RegisterParams(Block):
    """What it takes to become the champion."""

    gate: Literal["beats_untrained", "none"] = "beats_untrained"
    """`beats_untrained` refuses a model whose validation score does not exceed the untrained encoder's."""
    promote: Literal["always", "if_better"] = "always"
    """`if_better` moves the alias only when the score beats the champion's on the same validation folds."""


class EmbedParams(Block):
    """How galaxies become vectors."""

    source: Literal["model", "imported"] = "model"
    """`model`: the champion from the registry; `imported`: vectors made elsewhere, as `mergerscope import-embeddings` took them in."""  # noqa: E501
    imported: str = ""
    """Digest of those vectors, which `mergerscope import-embeddings` tells: other ones run the graph anew."""
    pooling: Literal["last", "stages"] = "stages"
    """`last`: the mean of the last stage; `stages`: mean and maximum of every stage, reduced to `encoder.embedding_dim` where that is smaller."""  # noqa: E501
    views: Literal[1, 8] = 8
    """8 averages over the rotations and flips of the square."""
    batch_size: Positive = 256
    """Galaxies a forward pass."""
    device: Device = "auto"
    """`auto` takes CUDA where there is one."""
    engine: Engine = "local"
    """`local`: this machine; `ray`: all machines of a Ray cluster, a shard a task, with the same bytes out (extra `ray`, docs/cluster.md)."""  # noqa: E501


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
    duplicates_arcsec: Annotated[float, Field(ge=0, le=60)] = 2.0
    """Galaxies closer together on the sky are entries of one object: all but the first are flagged; 0: no flags."""
    engine: Engine = "local"
    """Which machines score the galaxies, as in `embed.engine`; every ranker, with the same bytes out."""


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
