"""The fitted reduction against NumPy's singular value decomposition."""

import numpy as np
import pytest
import torch

from mergerscope.learn.reduce import fit_reduction


@pytest.fixture
def features(make_encoder):
    """(300, F) correlated features of very different spreads, one of them dead."""
    f = make_encoder().config.feature_dim
    generator = torch.Generator().manual_seed(2)
    mixed = torch.randn(300, f, generator=generator) @ torch.randn(f, f, generator=generator)
    x = mixed * torch.logspace(-2, 2, f) + torch.arange(f)
    x[:, 7] = 4.0
    return x


def standardised(features):
    x = features.double().numpy()
    spread = x.std(0)
    return (x - x.mean(0)) / np.where(spread > 0, spread, 1)


def test_components_are_the_leading_singular_vectors_of_the_standardised_features(make_encoder, features):
    encoder = make_encoder(dim=16)
    fit_reduction(encoder, features)
    _, _, vectors = np.linalg.svd(standardised(features), full_matrices=False)
    found = encoder.components.double().numpy()
    np.testing.assert_allclose(np.abs((found * vectors[:16]).sum(1)), 1, atol=1e-4)
    largest = found[np.arange(16), np.abs(found).argmax(1)]
    assert (largest > 0).all()


def test_embeddings_are_centred_uncorrelated_and_in_order_of_variance(make_encoder, features):
    encoder = make_encoder(dim=16)
    fit_reduction(encoder, features)
    embedding = encoder.reduce(features).double().numpy()
    assert embedding.shape == (300, 16)
    np.testing.assert_allclose(embedding.mean(0), 0, atol=1e-3)
    covariance = np.cov(embedding.T, bias=True)
    singular = np.linalg.svd(standardised(features), compute_uv=False)
    np.testing.assert_allclose(np.diag(covariance), singular[:16] ** 2 / 300, rtol=1e-3)
    assert (np.diff(np.diag(covariance)) <= 0).all()
    np.testing.assert_allclose(covariance - np.diag(np.diag(covariance)), 0, atol=1e-3 * covariance[0, 0])


def test_without_reduction_features_are_only_standardised(make_encoder, features):
    encoder = make_encoder(dim=8192)
    before = encoder.components.clone()
    fit_reduction(encoder, features)
    assert torch.equal(encoder.components, before)
    np.testing.assert_allclose(encoder.reduce(features).numpy(), standardised(features), atol=2e-3)
    assert encoder.reduce(features)[:, 7].abs().max() == 0


def test_nothing_lies_beyond_the_rank_of_the_sample(make_encoder, features):
    encoder = make_encoder(dim=16)
    fit_reduction(encoder, features[:6])
    assert (encoder.components[:5].norm(dim=1) - 1).abs().max() < 1e-5
    assert not encoder.components[5:].any()
    assert not encoder.reduce(features)[:, 5:].any()


def test_equal_features_give_equal_components_in_any_order(make_encoder, features):
    first, second = make_encoder(dim=8), make_encoder(dim=8, seed=2)
    fit_reduction(first, features)
    fit_reduction(second, features.flip(0))
    torch.testing.assert_close(first.components, second.components, atol=1e-4, rtol=0)


def test_the_mean_of_the_last_stage_needs_none(make_encoder):
    encoder = make_encoder(pooling="last")
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    fit_reduction(encoder, torch.randn(30, encoder.config.feature_dim))
    after = encoder.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
