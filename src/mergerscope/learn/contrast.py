"""Contrastive losses. Shapes: B galaxies, D numbers a projection has, K keys in the queue."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["info_nce", "nt_xent"]


def nt_xent(first_BD: Tensor, second_BD: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross entropy between two views (Chen et al. 2020, arXiv:2002.05709, Eq. 1).

    Row i of both is the same galaxy; the other 2B - 2 views of the batch are its negatives. Uncorrelated
    projections give log(2B - 1).
    """
    b = len(first_BD)
    z = F.normalize(torch.cat([first_BD, second_BD]).float(), dim=1)
    similarity = z @ z.T / temperature
    similarity = similarity.masked_fill(torch.eye(2 * b, dtype=torch.bool, device=z.device), float("-inf"))
    partner = torch.arange(2 * b, device=z.device).roll(b)
    return F.cross_entropy(similarity, partner)


def info_nce(query_BD: Tensor, key_BD: Tensor, queue_KD: Tensor, temperature: float) -> Tensor:
    """InfoNCE against a queue of keys (He et al. 2020, arXiv:1911.05722, Eq. 1).

    Row i of queries and keys is the same galaxy; the negatives are the queue. Keys carry no gradient.
    """
    q = F.normalize(query_BD.float(), dim=1)
    k = F.normalize(key_BD.detach().float(), dim=1)
    positive_B1 = (q * k).sum(1, keepdim=True)
    negative_BK = q @ queue_KD.detach().float().T
    logits = torch.cat([positive_B1, negative_BK], 1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long, device=q.device))
