"""The contrastive losses against loops over pairs, closed forms and symmetries."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mergerscope.learn.contrast import info_nce, nt_xent

cases = given(
    b=st.integers(2, 6), d=st.integers(2, 5), seed=st.integers(0, 1000), temperature=st.floats(0.05, 2.0)
)


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def slow_nt_xent(first, second, temperature):
    """Eq. 1 of Chen et al. 2020, pair by pair."""
    rows, b = first.tolist() + second.tolist(), len(first)
    losses = []
    for i, row in enumerate(rows):
        j = (i + b) % (2 * b)
        others = [math.exp(cosine(row, rows[k]) / temperature) for k in range(2 * b) if k != i]
        losses.append(-math.log(math.exp(cosine(row, rows[j]) / temperature) / sum(others)))
    return sum(losses) / len(losses)


def slow_info_nce(query, key, queue, temperature):
    """Eq. 1 of He et al. 2020, query by query."""
    losses = []
    for q, k in zip(query.tolist(), key.tolist(), strict=True):
        positive = math.exp(cosine(q, k) / temperature)
        negative = sum(math.exp(cosine(q, n) / temperature) for n in queue.tolist())
        losses.append(-math.log(positive / (positive + negative)))
    return sum(losses) / len(losses)


def unit(x):
    return x / x.norm(dim=1, keepdim=True)


@cases
def test_nt_xent_equals_the_loop_over_pairs(b, d, seed, temperature):
    first, second = draw(b, d, seed=seed), draw(b, d, seed=seed + 1)
    assert nt_xent(first, second, temperature).item() == pytest.approx(
        slow_nt_xent(first, second, temperature), rel=1e-4, abs=1e-5
    )


@cases
def test_info_nce_equals_the_loop_over_queries(b, d, seed, temperature):
    query, key, queue = draw(b, d, seed=seed), draw(b, d, seed=seed + 1), unit(draw(7, d, seed=seed + 2))
    assert info_nce(query, key, queue, temperature).item() == pytest.approx(
        slow_info_nce(query, key, queue, temperature), rel=1e-4, abs=1e-5
    )


@pytest.mark.parametrize("b", [2, 5, 16])
def test_uncorrelated_projections_give_the_logarithm_of_the_candidates(b):
    every = torch.eye(3 * b)
    assert nt_xent(every[:b], every[b : 2 * b], 0.2).item() == pytest.approx(math.log(2 * b - 1))
    assert info_nce(every[:b], every[b : 2 * b], every[2 * b :], 0.2).item() == pytest.approx(math.log(b + 1))


def test_collapse_gives_the_same():
    same = torch.ones(4, 3)
    assert nt_xent(same, same, 0.1).item() == pytest.approx(math.log(7))
    assert info_nce(same, same, unit(torch.ones(9, 3)), 0.1).item() == pytest.approx(math.log(10))


def test_perfect_agreement_of_orthogonal_galaxies():
    every, t = torch.eye(6), 0.5
    assert nt_xent(every, every, t).item() == pytest.approx(math.log(math.exp(1 / t) + 10) - 1 / t)


@cases
def test_nt_xent_does_not_care_for_order_sides_and_length(b, d, seed, temperature):
    first, second = draw(b, d, seed=seed), draw(b, d, seed=seed + 1)
    loss = nt_xent(first, second, temperature)
    mixed = torch.randperm(b, generator=torch.Generator().manual_seed(seed))
    for other in (nt_xent(second, first, temperature), nt_xent(3 * first, 0.1 * second, temperature),
                  nt_xent(first[mixed], second[mixed], temperature)):  # fmt: skip
        torch.testing.assert_close(other, loss, rtol=1e-4, atol=1e-5)


def test_agreement_is_better_than_disagreement():
    first = draw(8, 4)
    assert nt_xent(first, first + 0.1 * draw(8, 4, seed=1), 0.2) < nt_xent(first, first.roll(1, 0), 0.2)


def test_both_views_of_nt_xent_carry_a_gradient():
    first, second = draw(4, 3).requires_grad_(), draw(4, 3, seed=1).requires_grad_()
    nt_xent(first, second, 0.2).backward()
    assert first.grad.abs().sum() > 0
    assert second.grad.abs().sum() > 0


def test_keys_and_queue_carry_none():
    query, key = draw(4, 3).requires_grad_(), draw(4, 3, seed=1).requires_grad_()
    queue = unit(draw(5, 3, seed=2)).requires_grad_()
    info_nce(query, key, queue, 0.2).backward()
    assert query.grad.abs().sum() > 0
    assert key.grad is None
    assert queue.grad is None


def test_half_precision_is_lifted_before_the_similarities():
    first, second = draw(16, 8), draw(16, 8, seed=1)
    loss = nt_xent(first.bfloat16(), second.bfloat16(), 0.05)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, nt_xent(first.bfloat16().float(), second.bfloat16().float(), 0.05))
