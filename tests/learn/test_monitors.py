"""The monitors at their limits, where the value is known."""

import math

import pytest
import torch

from mergerscope.learn.monitors import alignment, effective_rank, feature_std, uniformity


def draw(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def test_alignment_is_the_squared_distance_on_the_sphere():
    x = draw(7, 3)
    assert alignment(x, 5 * x) == pytest.approx(0, abs=1e-6)
    assert alignment(x, -x) == pytest.approx(4)
    assert alignment(torch.eye(4), torch.eye(4).roll(1, 0)) == pytest.approx(2)


def test_uniformity_of_known_sets():
    assert uniformity(torch.ones(5, 3)) == pytest.approx(0)
    assert uniformity(torch.tensor([[1.0, 0.0], [-2.0, 0.0]])) == pytest.approx(-8)
    assert uniformity(torch.eye(6)) == pytest.approx(-4)


def test_uniformity_equals_the_loop_over_pairs():
    z = draw(9, 4)
    z = z / z.norm(dim=1, keepdim=True)
    pairs = [(z[i] - z[j]).square().sum().item() for i in range(9) for j in range(i)]
    assert uniformity(z) == pytest.approx(math.log(sum(math.exp(-2 * d2) for d2 in pairs) / len(pairs)), rel=1e-5)


def test_feature_std_tells_collapse_from_spread():
    assert feature_std(torch.ones(50, 8)) == pytest.approx(0, abs=1e-6)
    assert feature_std(draw(4000, 32)) == pytest.approx(1, rel=0.02)
    assert feature_std(10 * draw(100, 8)) == pytest.approx(feature_std(draw(100, 8)))


@pytest.mark.parametrize("d", [1, 2, 5])
def test_effective_rank_counts_equal_directions(d):
    directions = torch.linalg.qr(draw(9, 9)).Q[:d]
    assert effective_rank(torch.cat([directions, -directions]) + 3) == pytest.approx(d, rel=1e-4)


def test_effective_rank_of_a_line_and_of_a_point():
    assert effective_rank(torch.linspace(-1, 1, 20)[:, None] * draw(1, 6)) == pytest.approx(1, abs=1e-3)
    assert effective_rank(torch.ones(10, 4)) == pytest.approx(1)


def test_effective_rank_from_the_singular_values():
    wide = torch.diag(torch.tensor([3.0, 1.0]))
    share = [0.75, 0.25]
    expected = math.exp(-sum(p * math.log(p) for p in share))
    assert effective_rank(torch.cat([wide, -wide])) == pytest.approx(expected, rel=1e-5)
