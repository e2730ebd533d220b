"""What tells, epoch by epoch, whether a representation is alive and any good.

Shapes: N galaxies, D numbers a representation has.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["alignment", "effective_rank", "feature_std", "uniformity"]


def alignment(first_ND: Tensor, second_ND: Tensor) -> float:
    """Mean squared distance of two views on the unit sphere (Wang & Isola 2020, arXiv:2005.10242, Eq. 5); 0 is best."""
    distance = F.normalize(first_ND, dim=1) - F.normalize(second_ND, dim=1)
    return float(distance.square().sum(1).mean())


def uniformity(features_ND: Tensor) -> float:
    """Logarithm of the mean Gaussian potential of all pairs (Wang & Isola 2020, Eq. 6); more negative spreads more."""
    return float(torch.pdist(F.normalize(features_ND, dim=1)).square().mul(-2).exp().mean().log())


def feature_std(features_ND: Tensor) -> float:
    """Mean standard deviation of unit vectors' entries times sqrt(D): 1 when spread evenly, 0 when collapsed.

    Chen & He 2021, arXiv:2011.10566, section 4.1.
    """
    z = F.normalize(features_ND, dim=1)
    return float(z.std(0).mean() * z.shape[1] ** 0.5)


def effective_rank(features_ND: Tensor) -> float:
    """Exponential of the entropy of the normalised singular values (Roy & Vetterli 2007, EUSIPCO, Eq. 4).

    Between 1, when all galaxies lie in one point or on one line, and D.
    """
    singular = torch.linalg.svdvals(features_ND - features_ND.mean(0))
    share = singular / singular.sum().clamp_min(1e-12)
    return float(torch.exp(-(share * share.clamp_min(1e-12).log()).sum()))
