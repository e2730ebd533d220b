"""How it is learnt: the views of a galaxy, the network, the training."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mergerscope.params.fields import Block, Count, Device, Positive

__all__ = ["EncoderParams", "TrainParams", "ViewsParams"]


class ViewsParams(Block):
    """The random views of a galaxy that training sees."""

    strength: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Scales every augmentation at once: 0 leaves the image as it is, 1 is the strongest."""
    min_field: Annotated[float, Field(ge=0.3, le=1)] = 0.8
    """Smallest field of view, as a fraction of the cutout, that a zoom may leave: a tight crop cuts the companion off."""  # noqa: E501
    pixel_arcsec: Annotated[float, Field(gt=0)] | None = None
    """Side of a pixel in the shards, of flux only: by it published widths of the point spread come to pixels; null takes what the WCS of the files says, else 0.262."""  # noqa: E501


class EncoderParams(Block):
    """The network: a ResNet with torchvision's parameter names."""

    depth: Literal[18, 34, 50] = 18
    """Number of layers of the published network."""
    width: Annotated[float, Field(ge=0.125, le=4)] = 0.5
    """Channels as a fraction of the published network's."""
    embedding_dim: Annotated[int, Field(ge=2, le=8192)] = 512
    """Numbers an embedding has at most (see `embed.pooling`)."""


class TrainParams(Block):
    """How the encoder is trained."""

    images: Literal["all", "references"] = "all"
    """`all`: every galaxy, without its label; `references`: the known mergers alone."""
    epochs: Positive = 32
    """Passes over the images."""
    batch_size: Annotated[int, Field(ge=2)] = 128
    """Galaxies a step, on all devices together."""
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
    devices: Positive = 1
    """GPUs of this machine that train together; without CUDA, processes that share its cores."""
    workers: Count = 1
    """Loader processes, of each device."""
    patience: Count = 0
    """Epochs without a better validation average precision before training stops; 0 never stops early."""
    monitor_images: Annotated[int, Field(ge=2)] = 1000
    """Galaxies embedded for the monitors of each epoch."""
    monitor_k: Positive = 100
    """The k of the recall@k on validation folds."""
    seed: Annotated[int, Field(ge=0, lt=10**9)] = 1
    """Of weights, order and views."""
