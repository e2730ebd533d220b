"""A training on shards that hold flux: from reading them to embeddings, and the encoder's file."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from mergerscope.errors import ContractError, ParameterError
from mergerscope.learn.baseline import moco_references_embedding, pixel_embedding, untrained_embedding
from mergerscope.learn.embed import embed_images
from mergerscope.learn.encoder import load_encoder, save_encoder
from mergerscope.learn.fit import encoder_config, fit
from mergerscope.learn.make_canvas import make_canvas
from mergerscope.shards.manifest import Manifest
from mergerscope.shards.reader import read_shard
from mergerscope.shards.sample import encode_sample, tar_tail
from mergerscope.shards.shown import shown, shown_bytes, stretch_of
from mergerscope.survey.catalog import read_catalog
from mergerscope.survey.flux.image import FluxSpec

BANDS = ("g", "r", "z")


def write_flux(paths, folder, bands=BANDS, unit="nanomaggy"):
    """Shards of `small` as flux that the Legacy Survey's stretch shows about as bright."""
    folder.mkdir(parents=True)
    manifest, entries = Manifest.load(paths.manifest), []
    for entry in manifest.shards:
        shard = read_shard(paths.shards, entry.name)
        flux = (shard.images[:, ::-1].astype(np.float32) / 255) ** 2 / 10
        flux = np.resize(flux, (len(flux), len(bands), *flux.shape[2:])).astype(np.float32)
        content = b"".join(encode_sample(name, image, {}) for name, image in zip(shard.ids, flux, strict=True))
        content += tar_tail(len(content))
        (folder / entry.name).write_bytes(content)
        entries.append(replace(entry, sha256=hashlib.sha256(content).hexdigest()))
    shape = (len(bands), *manifest.image_shape[1:])
    manifest = replace(
        manifest, image_shape=shape, dtype="float32", bands=bands, unit=unit, shards=tuple(entries)
    )
    manifest.save(folder / "manifest.json")
    return folder


@pytest.fixture(scope="module")
def flux(small, tmp_path_factory):
    return write_flux(small, tmp_path_factory.mktemp("flux") / "shards")


@pytest.fixture(scope="module")
def trained(small, flux, settings):
    params = settings(objective={"moco": {"weight": 0.2}, "pairs": {"encounters": 0.0}})
    return params, fit(params, flux, read_catalog(small.catalog))


def test_a_training_learns_from_flux_and_shows_what_it_saw(trained, flux):
    _, result = trained
    assert all(np.isfinite(row["loss"]) for row in result.history)
    assert {name: x.dtype for name, x in result.samples.items()} == dict.fromkeys(
        ("views", "pairs_positive", "pairs_negative"), np.uint8
    )
    originals = result.samples["views"][:, 0]
    every = np.concatenate([read_shard(flux, one.name).images for one in Manifest.load(flux / "manifest.json").shards])
    pictures = shown_bytes(every, result.encoder.config.flux)
    assert all((pictures == original).all((1, 2, 3)).any() for original in originals)


def test_equal_trainings_give_equal_weights(trained, small, flux):
    params, result = trained
    again = fit(params, flux, read_catalog(small.catalog)).encoder.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in result.encoder.state_dict().items())


def test_the_file_tells_type_bands_and_stretch_and_comes_back(trained, flux, tmp_path):
    encoder = trained[1].encoder
    save_encoder(encoder, tmp_path / "weights", tmp_path / "config.json")
    told = json.loads((tmp_path / "config.json").read_text())
    assert told["flux"] == {
        "dtype": "float32", "stretch": "legacy", "bands": list(BANDS), "softening": 0.0, "scale": [], "bin": 1
    }
    back = load_encoder(tmp_path / "weights", tmp_path / "config.json")
    assert back.config == encoder.config
    images = read_shard(flux, "shard-000000.tar").images
    mine, theirs = (embed_images(one, images, views=8, batch_size=5).embedding for one in (encoder, back))
    np.testing.assert_array_equal(mine, theirs)


def test_a_network_sees_flux_as_it_is_shown(trained, flux):
    encoder = trained[1].encoder
    images = read_shard(flux, "shard-000000.tar").images
    prepared = encoder.prepare(torch.from_numpy(images))
    np.testing.assert_allclose(prepared.numpy(), shown(images, encoder.config.flux), atol=1e-6)
    with torch.no_grad():
        found = encoder.reduce(encoder.pool(encoder.stages(prepared)))
        torch.testing.assert_close(encoder(torch.from_numpy(images)), found)


@pytest.mark.parametrize("change", [{"stretch": "unheard"}, {"dtype": "int16"}, {"bands": ["g"]}, {"more": 1}])
def test_a_file_that_tells_something_else_is_refused(trained, tmp_path, change):
    save_encoder(trained[1].encoder, tmp_path / "weights", tmp_path / "config.json")
    told = json.loads((tmp_path / "config.json").read_text())
    told["flux"] |= change
    (tmp_path / "config.json").write_text(json.dumps(told))
    with pytest.raises(ContractError, match=r"config\.json"):
        load_encoder(tmp_path / "weights", tmp_path / "config.json")


def test_every_baseline_takes_flux(trained, small, flux, tmp_path):
    params, _ = trained
    params = params.model_copy(update={"evaluate": params.evaluate.model_copy(update={"baseline_epochs": 1})})
    catalog = read_catalog(small.catalog)
    stores = [
        untrained_embedding(params, flux, catalog, tmp_path / "untrained"),
        pixel_embedding(params, flux, tmp_path / "pixels"),
        moco_references_embedding(params, flux, catalog, tmp_path / "moco", tmp_path / "scratch"),
    ]
    for store in stores:
        assert np.isfinite(store.rows(np.arange(store.size))).all()
    pixels = stores[1].rows(np.arange(stores[1].size))
    assert 0 <= pixels.min() < 0.5 < pixels.max() <= 1


def test_dust_is_known_where_the_catalogue_tells_it(flux, small, settings):
    catalog = read_catalog(small.catalog)
    told = np.where(np.arange(len(catalog)) % 2, 0.01 * np.arange(len(catalog)), np.nan)
    table = catalog.table.append_column("ebv", pa.array(told))
    dusty = replace(catalog, source=table, flux=FluxSpec(BANDS, "nanomaggy", None))
    on = make_canvas(settings(), flux, Manifest.load(flux / "manifest.json"), dusty)
    asked = np.array([5, 0, 7, 5])
    np.testing.assert_allclose(on.ebv_of(catalog.ids[asked].tolist()), told[asked], rtol=1e-6)
    assert on.noise.shape == (3,)


def test_shards_of_other_bands_need_another_stretch(small, settings, tmp_path):
    folder = write_flux(small, tmp_path / "five", bands=("g", "r", "i", "z", "y"))
    manifest = Manifest.load(folder / "manifest.json")
    assert encoder_config(settings(flux={"stretch": "hsc"}), manifest).seen_channels == 3
    lupton = settings(flux={"stretch": "lupton", "scale": [8.0]}, train={"epochs": 1})
    result = fit(lupton, folder, read_catalog(small.catalog))
    assert result.encoder.config.flux.shown == ("y", "z", "i", "r", "g")
    assert result.samples["views"].shape[2] == 5
    two = write_flux(small, tmp_path / "two", bands=("g", "r"))
    with pytest.raises(ParameterError, match=r"flux\.stretch: legacy shows the bands z, r, g"):
        stretch_of(settings(), Manifest.load(two / "manifest.json"))
