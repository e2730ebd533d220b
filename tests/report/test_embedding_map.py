import importlib.util

import numpy as np
import pytest

from mergerscope.errors import MissingExtraError
from mergerscope.report.embedding_map import make_map, project

HAS_UMAP = importlib.util.find_spec("umap") is not None


def embeddings(rows=60):
    rng = np.random.default_rng(3)
    values = rng.normal(size=(rows, 12)).astype(np.float32)
    values[: rows // 2, :3] += 4
    return values


NEEDS_UMAP = pytest.mark.skipif(not HAS_UMAP, reason="umap-learn is not installed")


@pytest.mark.parametrize("wish", ["pca", pytest.param("umap", marks=NEEDS_UMAP)])
def test_map_repeats_fills_the_frame_and_keeps_groups_apart(wish):
    places, method = project(embeddings(), wish)
    again, _ = project(embeddings(), wish)
    assert method == wish.upper()
    np.testing.assert_array_equal(places, again)
    np.testing.assert_allclose(places.min(axis=0), 0)
    np.testing.assert_allclose(places.max(axis=0), 1)
    one, other = places[:30], places[30:]
    apart = np.linalg.norm(one.mean(axis=0) - other.mean(axis=0))
    assert apart > one.std(axis=0).max() + other.std(axis=0).max()


def test_pca_agrees_with_the_singular_values_of_unit_rows():
    values = embeddings()
    units = values / np.linalg.norm(values, axis=1, keepdims=True)
    left, size, _ = np.linalg.svd(units - units.mean(axis=0), full_matrices=False)
    places, _ = project(values, "pca")
    for axis in range(2):
        assert abs(np.corrcoef(places[:, axis], left[:, axis] * size[axis])[0, 1]) > 0.9999


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_galaxies_fall_back_to_pca(rows):
    places, method = project(embeddings(rows), "auto")
    assert method == "PCA"
    assert np.isfinite(places).all()


def test_umap_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert project(embeddings(), "auto")[1] == "PCA"
    with pytest.raises(MissingExtraError, match="umap-learn"):
        project(embeddings(), "umap")


def test_map_holds_all_known_mergers_and_a_sample_of_the_rest(inputs, made):
    from dataclasses import replace

    where = make_map(replace(inputs, params=made.made_params(report={"map_galaxies": 50})))
    assert len(where.rows) == 50
    assert inputs.known[where.rows].sum() == inputs.known.sum()
