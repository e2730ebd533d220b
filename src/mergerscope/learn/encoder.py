"""The encoder: galaxy images in, one embedding each out. What is registered, served and ranked with.

Shapes: B galaxies, C channels, H x W pixels, F features before reduction, D numbers an embedding has.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.files import replacing, write_text
from mergerscope.learn.resnet import ResNet, stage_channels
from mergerscope.survey.stretch import FLUX_STRETCHES, FluxStretch

__all__ = ["Encoder", "EncoderConfig", "build_encoder", "load_encoder", "save_encoder"]


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """All that is needed to build the network that a file of weights belongs to."""

    depth: int
    width: float
    embedding_dim: int
    pooling: str
    channels: int
    """Of the images, as the shards hold them."""
    image_size: int
    pairs_head: bool
    flux: FluxStretch | None = None
    """How float32 flux becomes what the network sees; None for uint8 pictures."""

    @property
    def dtype(self) -> str:
        """Of the images: ``uint8`` or ``float32``."""
        return "uint8" if self.flux is None else "float32"

    @property
    def seen_channels(self) -> int:
        """Channels that the network sees: of flux those that its stretch shows, else all."""
        return self.channels if self.flux is None else len(self.flux.shown)

    @property
    def trunk_dim(self) -> int:
        """Channels of the last stage, on which heads sit."""
        return stage_channels(self.depth, self.width)[-1]

    @property
    def feature_dim(self) -> int:
        """Numbers that pooling gives before they are reduced (F)."""
        return 2 * sum(stage_channels(self.depth, self.width)) if self.pooling == "stages" else self.trunk_dim

    @property
    def output_dim(self) -> int:
        """Numbers an embedding has (D): `embedding_dim`, or F where pooling of the stages gives fewer."""
        return min(self.embedding_dim, self.feature_dim) if self.pooling == "stages" else self.embedding_dim

    @property
    def output_dim_trained(self) -> int:
        """Numbers that the contrastive terms' projectors take in: see `Encoder.trained_embedding`."""
        return self.trunk_dim if self.pooling == "stages" else self.output_dim


class Encoder(nn.Module):
    """A trunk, a pooling, and what brings the pooled features to the size asked for.

    - ``pooling: last``: the mean of the last stage; a linear layer, trained with the rest, makes D of it where D
      is another number.
    - ``pooling: stages``: mean and maximum of every stage, standardised, then projected on their first D
      principal components where D is smaller than F. Both are fitted by `mergerscope.learn.reduce`.
    """

    pixel_mean: Tensor
    pixel_std: Tensor
    feature_mean: Tensor
    feature_scale: Tensor
    components: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = ResNet(config.depth, config.width, config.seen_channels)
        self.register_buffer("pixel_mean", torch.zeros(config.seen_channels))
        self.register_buffer("pixel_std", torch.ones(config.seen_channels))
        self.linear: nn.Module = nn.Identity()
        if config.pooling == "stages":
            self.register_buffer("feature_mean", torch.zeros(config.feature_dim))
            self.register_buffer("feature_scale", torch.ones(config.feature_dim))
            self.register_buffer("components", torch.eye(config.feature_dim)[: config.output_dim].clone())
        elif config.output_dim != config.trunk_dim:
            self.linear = nn.Linear(config.trunk_dim, config.output_dim)
        if config.pairs_head:
            self.pairs_head = nn.Linear(2 * config.trunk_dim, 1)

    @property
    def has_pairs_head(self) -> bool:
        """Whether the encoder was trained to tell synthetic pairs from singles, and keeps that head."""
        return self.config.pairs_head

    def prepare(self, images: Tensor) -> Tensor:
        """Bring images (B, C, H, W) as the shards hold them, uint8 or float32 flux, to what the network sees: 0...1.

        A network for pictures also takes float that is in 0...1 already.
        """
        if self.config.flux is not None:
            shown: Tensor = self.config.flux(images)
            return shown
        return images.to(self.pixel_mean.dtype) / 255 if images.dtype == torch.uint8 else images

    def stages(self, prepared: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the four stages' maps of images (B, C, H, W) in 0...1 (see `prepare`)."""
        x = (prepared - self.pixel_mean[:, None, None]) / self.pixel_std[:, None, None]
        maps: tuple[Tensor, Tensor, Tensor, Tensor] = self.trunk(x.contiguous(memory_format=torch.channels_last))
        return maps

    def pool(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Pool the stages' maps to features (B, F), before any reduction."""
        if self.config.pooling == "last":
            return maps[-1].mean((2, 3)).float()
        # Maxima beside means: a second nucleus or a thin tail is a peak that a mean over the field washes out.
        return torch.cat([pooled for x in maps for pooled in (x.mean((2, 3)), x.amax((2, 3)))], 1).float()

    def reduce(self, features: Tensor) -> Tensor:
        """Bring features (B, F) to embeddings (B, D)."""
        if self.config.pooling == "last":
            reduced: Tensor = self.linear(features)
            return reduced
        return ((features - self.feature_mean) / self.feature_scale) @ self.components.T

    def trained_embedding(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Return what the contrastive terms work on: the mean of the last stage, through the linear layer if any.

        With ``pooling: stages`` the reduction is fitted after training, so the projectors sit on the trunk.
        """
        last = maps[-1].mean((2, 3)).float()
        embedding: Tensor = self.linear(last)
        return embedding

    def pairs_logit_of(self, maps: tuple[Tensor, ...]) -> Tensor:
        """Return (B,) log-odds that an image shows two galaxies, from the stages' maps."""
        last = maps[-1]
        logit: Tensor = self.pairs_head(torch.cat([last.mean((2, 3)), last.amax((2, 3))], 1))
        return logit.squeeze(1).float()

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings (B, D), float32, of images (B, C, H, W) as `prepare` takes them."""
        return self.reduce(self.pool(self.stages(self.prepare(images))))

    def pairs_logit(self, images: Tensor) -> Tensor:
        """Return (B,) log-odds that an image shows two galaxies; needs `has_pairs_head`."""
        return self.pairs_logit_of(self.stages(self.prepare(images)))


def build_encoder(config: EncoderConfig, seed: int) -> Encoder:
    """Return an untrained encoder whose random weights depend on ``seed`` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def save_encoder(encoder: Encoder, weights: Path, config: Path) -> None:
    """Write the weights as safetensors and the configuration as JSON, each new-then-rename."""
    # Gradients, devices and memory layout are no part of a model: equal weights give equal bytes.
    state = {name: value.detach().cpu().contiguous() for name, value in encoder.state_dict().items()}
    with replacing(weights) as fresh:
        save_file(state, fresh)
    write_text(config, json.dumps(_fields(encoder.config), indent=2) + "\n")


def load_encoder(weights: Path, config: Path) -> Encoder:
    """Read an encoder written by `save_encoder`, in evaluation mode. Nothing is unpickled.

    Raises:
        MissingInputError: one of the two files is not there.
        ContractError: the weights do not fit the configuration.
    """
    for path in (weights, config):
        if not path.is_file():
            raise MissingInputError(path, "train")
    try:
        fields = json.loads(config.read_text(encoding="utf-8"))
        if not isinstance(fields, dict):
            raise TypeError(f"{type(fields).__name__} in the place of a JSON object")
        encoder = Encoder(_config(fields))
        encoder.load_state_dict(load_file(weights))
    except (ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ContractError(f"{weights} does not fit {config}: {reason}. Train anew: mergerscope train") from error
    return encoder.to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def _fields(config: EncoderConfig) -> dict[str, Any]:
    fields = asdict(config)
    # What a network for pictures is written down as does not tell of flux, and is known by its digest.
    if config.flux is None:
        del fields["flux"]
    else:
        flux = fields["flux"]
        fields["flux"] = {"dtype": config.dtype, "stretch": flux.pop("kind"), **flux}
    return fields


def _config(fields: dict[str, Any]) -> EncoderConfig:
    flux = fields.pop("flux", None)
    if flux is None:
        return EncoderConfig(**fields)
    dtype, kind = flux.pop("dtype"), flux.pop("stretch")
    if dtype != "float32" or kind not in FLUX_STRETCHES:
        raise ValueError(f"images of {dtype} under the stretch {kind!r}")
    # what a stretch needs is checked where it is made from the parameters; this is a file
    lists: dict[str, Any] = {name: tuple(flux.pop(name)) for name in ("bands", "scale")}
    config = EncoderConfig(**fields, flux=FluxStretch(kind, **flux, **lists))
    if config.flux is None or len(config.flux.bands) != config.channels or not config.flux.fits:
        raise ValueError(f"{config.channels} channels, and flux that does not fit them: {flux | lists}")
    return config
