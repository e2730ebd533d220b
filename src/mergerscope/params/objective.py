"""What is learnt: the terms of the loss."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from mergerscope.params.fields import Block, Positive, Range

__all__ = ["MocoParams", "ObjectiveParams", "PairsParams", "SimclrParams"]


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
