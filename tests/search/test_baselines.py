from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from mergerscope.search.baselines import pca_pixels, rgb_pixels
from mergerscope.search.store import EmbeddingStore


@pytest.fixture
def images():
    return np.random.default_rng(0).random((40, 3, 48, 48), np.float32)


def test_pixels_are_means_over_areas(images):
    small = rgb_pixels(images, side=16).reshape(40, 3, 16, 16)
    wanted = images.reshape(40, 3, 16, 3, 16, 3).mean(axis=(3, 5))
    np.testing.assert_allclose(small, wanted, atol=1e-6)
    assert small.dtype == np.float32


def test_edges_inside_a_pixel_share_it_out(images):
    large = np.repeat(np.repeat(images, 2, axis=2), 2, axis=3)
    np.testing.assert_allclose(rgb_pixels(images, side=32), rgb_pixels(large, side=32), atol=1e-6)
    assert rgb_pixels(images).mean() == pytest.approx(images.mean(), abs=1e-6)


def test_small_images_stay_as_they_are(images):
    small = images[:, :, :20, :20]
    np.testing.assert_allclose(rgb_pixels(small), small.reshape(40, -1), atol=1e-6)


def test_components_are_those_of_sklearn(images):
    pixels = rgb_pixels(images, side=6)
    store = EmbeddingStore.from_array([str(row) for row in range(40)], pixels)
    got = pca_pixels(store, components=5)
    wanted = PCA(5, svd_solver="full").fit_transform(pixels.astype(np.float64))
    assert got.ids.tolist() == store.ids.tolist()
    np.testing.assert_allclose(np.abs(got.rows(np.arange(40))), np.abs(wanted), rtol=2e-3, atol=2e-3)


def test_many_pixels_take_the_short_way_to_the_same_components(images):
    # 3 x 19 x 19 pixels are more than the 1,024 up to which all axes are found.
    values = np.random.default_rng(1).standard_normal((300, 8)) @ np.random.default_rng(2).standard_normal((8, 1083))
    values = (values + 0.01 * np.random.default_rng(3).standard_normal(values.shape)).astype(np.float32)
    store = EmbeddingStore.from_array([str(row) for row in range(300)], values)
    got = pca_pixels(store, components=6).rows(np.arange(300))
    wanted = PCA(6, svd_solver="full").fit_transform(values.astype(np.float64))
    np.testing.assert_allclose(np.abs(got), np.abs(wanted), rtol=5e-3, atol=5e-2)


def test_no_more_components_than_galaxies(images):
    store = EmbeddingStore.from_array(["a", "b", "c"], rgb_pixels(images[:3]))
    assert pca_pixels(store).dim == 3
