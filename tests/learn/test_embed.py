"""Embedding images: eight orientations, batches, and what must not change on the way."""

import numpy as np
import pytest
import torch

from mergerscope.learn import embed
from mergerscope.learn.device import autocast
from mergerscope.learn.embed import embed_images, orientations, pool_images


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Float32 whatever the hardware: what is tested here is not rounding."""
    monkeypatch.setattr(embed, "autocast", lambda device: autocast(device, "32"))


@pytest.fixture
def pixels():
    return np.random.default_rng(1).integers(0, 256, (7, 3, 32, 32), np.uint8)


@pytest.fixture
def encoder(make_encoder):
    """With a reduction that is more than a selection."""
    encoder = make_encoder()
    with torch.no_grad():
        generator = torch.Generator().manual_seed(3)
        encoder.feature_mean.normal_(generator=generator)
        encoder.components.normal_(0, 0.1, generator=generator)
    return encoder.eval()


def by_hand(images):
    """The eight orientations of a square, made by NumPy."""
    turned = [np.rot90(images, quarters, (2, 3)) for quarters in range(4)]
    return [np.ascontiguousarray(one) for one in (*turned, *(image[..., ::-1] for image in turned))]


def test_the_orientations_are_those_of_the_square(pixels):
    found = {one.numpy().tobytes() for one in orientations(torch.from_numpy(pixels), 8)}
    assert found == {one.tobytes() for one in by_hand(pixels)}
    assert len(found) == 8
    (only,) = orientations(torch.from_numpy(pixels), 1)
    assert np.array_equal(only, pixels)


def test_eight_views_are_the_mean_of_eight(encoder, pixels):
    found = embed_images(encoder, pixels, views=8, batch_size=4)
    with torch.no_grad():
        turned = [torch.from_numpy(one) for one in by_hand(pixels)]
        embedding = torch.stack([encoder(one) for one in turned]).mean(0)
        logit = torch.stack([encoder.pairs_logit(one) for one in turned]).mean(0)
    np.testing.assert_allclose(found.embedding, embedding, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.pairs_logit, logit, rtol=1e-4, atol=1e-5)
    assert (found.embedding.dtype, found.pairs_logit.dtype) == (np.float32, np.float32)


def test_one_view_is_the_encoder(encoder, pixels):
    found = embed_images(encoder, pixels, views=1, batch_size=16)
    with torch.no_grad():
        np.testing.assert_allclose(found.embedding, encoder(torch.from_numpy(pixels)), rtol=1e-5, atol=1e-6)


def test_a_turned_survey_has_the_same_embeddings_of_eight_views(encoder, pixels):
    expected = embed_images(encoder, pixels, views=8, batch_size=4)
    one_view = embed_images(encoder, pixels, views=1, batch_size=4)
    for turned in by_hand(pixels)[1:]:
        found = embed_images(encoder, turned, views=8, batch_size=4)
        np.testing.assert_allclose(found.embedding, expected.embedding, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found.pairs_logit, expected.pairs_logit, rtol=1e-4, atol=1e-5)
        assert np.abs(embed_images(encoder, turned, views=1, batch_size=4).embedding - one_view.embedding).max() > 1e-3


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batches_do_not_matter(encoder, pixels, batch_size):
    expected = embed_images(encoder, pixels, views=8, batch_size=7)
    found = embed_images(encoder, pixels, views=8, batch_size=batch_size)
    np.testing.assert_allclose(found.embedding, expected.embedding, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.pairs_logit, expected.pairs_logit, rtol=1e-4, atol=1e-5)


def test_bf16_is_near(encoder, pixels, monkeypatch):
    expected = embed_images(encoder, pixels, views=8, batch_size=7).embedding
    monkeypatch.setattr(embed, "autocast", lambda device: autocast(device, "bf16"))
    found = embed_images(encoder, pixels, views=8, batch_size=7).embedding
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def test_without_a_pairs_head_there_is_no_logit(make_encoder, pixels):
    assert embed_images(make_encoder(pairs_head=False), pixels, views=1, batch_size=4).pairs_logit is None


@pytest.mark.parametrize("training", [True, False])
def test_the_encoder_is_left_as_it_was(encoder, pixels, training):
    encoder.train(training)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    images = pixels.copy()
    embed_images(encoder, pixels, views=8, batch_size=4)
    assert encoder.training is training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert np.array_equal(pixels, images)


def test_batch_statistics_play_no_part(encoder, pixels):
    expected = embed_images(encoder, pixels, views=1, batch_size=7).embedding
    found = embed_images(encoder.train(), pixels[:2], views=1, batch_size=7).embedding
    np.testing.assert_allclose(found, expected[:2], rtol=1e-4, atol=1e-5)


def test_progress_is_told_by_batch(encoder, pixels):
    told = []
    embed_images(encoder, pixels, views=1, batch_size=3, advance=told.append)
    assert told == [3, 3, 1]


def test_no_images_no_embeddings(encoder):
    found = embed_images(encoder, np.empty((0, 3, 32, 32), np.uint8), views=8, batch_size=4)
    assert found.embedding.shape == (0, 16)
    assert found.pairs_logit.shape == (0,)


def test_features_are_those_before_the_reduction(encoder, pixels):
    features, _ = pool_images(encoder, pixels, views=1, batch_size=4)
    with torch.no_grad():
        expected = encoder.pool(encoder.stages(encoder.prepare(torch.from_numpy(pixels))))
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-5)
