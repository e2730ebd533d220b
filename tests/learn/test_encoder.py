"""The encoder: what it computes, and that what is written comes back, or is refused."""

import json
import os
import pickle
from dataclasses import replace

import pytest
import torch

from mergerscope.errors import ContractError, MissingInputError
from mergerscope.learn.encoder import Encoder, EncoderConfig, build_encoder, load_encoder, save_encoder
from mergerscope.learn.resnet import stage_channels

PLAIN = EncoderConfig(depth=18, width=0.125, embedding_dim=16, pooling="stages", channels=3, image_size=32,
                      pairs_head=True)  # fmt: skip
FEATURES = 2 * (8 + 16 + 32 + 64)


@pytest.fixture
def saved(tmp_path):
    """An encoder with buffers unlike any default, and its two files."""
    encoder = build_encoder(PLAIN, 3)
    with torch.no_grad():
        for name, value in encoder.named_buffers():
            if value.is_floating_point():
                value.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(len(name)))
    weights, config = tmp_path / "models" / "encoder.safetensors", tmp_path / "models" / "encoder.json"
    save_encoder(encoder, weights, config)
    return encoder, weights, config


class TestEmbedding:
    @pytest.mark.parametrize(
        ("pooling", "dim", "expected"),
        [("stages", 16, 16), ("stages", FEATURES, FEATURES), ("stages", 8192, FEATURES), ("last", 64, 64),
         ("last", 16, 16), ("last", 1024, 1024)],
    )  # fmt: skip
    def test_its_size(self, make_encoder, images, pooling, dim, expected):
        encoder = make_encoder(pooling, dim).eval()
        embedding = encoder(images)
        assert embedding.shape == (6, expected)
        assert embedding.dtype == torch.float32
        assert encoder.config.output_dim == expected

    def test_stages_are_pooled_to_means_and_maxima(self, make_encoder, images):
        encoder = make_encoder().eval()
        maps = encoder.stages(images)
        parts = [part.flatten(2) for part in maps for _ in range(2)]
        expected = [part.mean(2) if number % 2 == 0 else part.max(2).values for number, part in enumerate(parts)]
        torch.testing.assert_close(encoder.pool(maps), torch.cat(expected, 1))
        assert encoder.config.feature_dim == FEATURES == 2 * sum(stage_channels(18, 0.125))

    def test_reduction_standardises_then_projects(self, make_encoder):
        encoder = make_encoder(dim=4)
        with torch.no_grad():
            for buffer in (encoder.feature_mean, encoder.feature_scale, encoder.components):
                buffer.uniform_(0.5, 2)
        features = torch.rand(5, FEATURES)
        standard = [(row - encoder.feature_mean) / encoder.feature_scale for row in features]
        expected = [[sum(component * row) for component in encoder.components] for row in standard]
        torch.testing.assert_close(encoder.reduce(features), torch.tensor(expected), rtol=1e-4, atol=1e-4)

    def test_the_last_stage_goes_through_a_linear_layer_only_where_sizes_differ(self, make_encoder, images):
        same, other = make_encoder("last", 64).eval(), make_encoder("last", 10).eval()
        torch.testing.assert_close(same(images), same.stages(images)[-1].mean((2, 3)))
        mean = other.stages(images)[-1].mean((2, 3))
        torch.testing.assert_close(other(images), mean @ other.linear.weight.T + other.linear.bias)
        assert not any(name.startswith("linear") for name in same.state_dict())

    def test_the_contrastive_terms_work_on_the_last_stage(self, make_encoder, images):
        for pooling, dim, size in (("stages", 16, 64), ("last", 10, 10)):
            encoder = make_encoder(pooling, dim).eval()
            trained = encoder.trained_embedding(encoder.stages(images))
            assert trained.shape == (6, size) == (6, encoder.config.output_dim_trained)
            if pooling == "last":
                torch.testing.assert_close(trained, encoder(images))

    def test_the_pairs_head_sees_mean_and_maximum_of_the_last_stage(self, make_encoder, images):
        encoder = make_encoder().eval()
        last = encoder.stages(images)[-1].flatten(2)
        both = torch.cat([last.mean(2), last.max(2).values], 1)
        expected = (both * encoder.pairs_head.weight).sum(1) + encoder.pairs_head.bias
        torch.testing.assert_close(encoder.pairs_logit(images), expected)
        assert encoder.has_pairs_head
        assert not make_encoder(pairs_head=False).has_pairs_head

    def test_bytes_and_fractions_are_the_same_picture(self, make_encoder, images):
        encoder = make_encoder().eval()
        pixels = (images * 255).round().to(torch.uint8)
        torch.testing.assert_close(encoder(pixels), encoder(pixels.float() / 255))

    def test_pixels_are_standardised_by_channel(self, make_encoder, images):
        encoder, plain = make_encoder().eval(), make_encoder().eval()
        mean, std = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0.5, 0.7, 2.0])
        encoder.pixel_mean.copy_(mean)
        encoder.pixel_std.copy_(std)
        standard = (images - mean[:, None, None]) / std[:, None, None]
        torch.testing.assert_close(encoder(images), plain(standard))


class TestBuilding:
    def test_weights_depend_on_the_seed_alone(self):
        torch.manual_seed(1)
        first = build_encoder(PLAIN, 7).state_dict()
        torch.manual_seed(2)
        torch.rand(3)
        again, other = build_encoder(PLAIN, 7).state_dict(), build_encoder(PLAIN, 8).state_dict()
        assert all(torch.equal(value, again[name]) for name, value in first.items())
        assert not torch.equal(first["trunk.conv1.weight"], other["trunk.conv1.weight"])

    def test_it_leaves_the_global_generator_alone(self):
        before = torch.get_rng_state()
        build_encoder(PLAIN, 7)
        assert torch.equal(torch.get_rng_state(), before)


class TestFiles:
    def test_what_is_loaded_is_what_was_saved_bit_by_bit(self, saved, images):
        encoder, weights, config = saved
        loaded = load_encoder(weights, config)
        assert loaded.config == encoder.config
        assert not loaded.training
        before, after = encoder.state_dict(), loaded.state_dict()
        assert list(before) == list(after)
        assert all(torch.equal(value, after[name]) for name, value in before.items())
        assert torch.equal(loaded(images), encoder.eval()(images))

    def test_equal_weights_give_equal_bytes(self, saved, tmp_path):
        encoder, weights, config = saved
        memory = load_encoder(weights, config).to(memory_format=torch.contiguous_format)
        for part in memory.parameters():
            part.grad = torch.ones_like(part)
        save_encoder(memory.train(), tmp_path / "again.safetensors", tmp_path / "again.json")
        assert (tmp_path / "again.safetensors").read_bytes() == weights.read_bytes()
        assert (tmp_path / "again.json").read_bytes() == config.read_bytes()
        save_encoder(encoder, weights, config)
        assert (tmp_path / "again.safetensors").read_bytes() == weights.read_bytes()
        assert sorted(path.name for path in weights.parent.iterdir()) == ["encoder.json", "encoder.safetensors"]

    @pytest.mark.parametrize("which", ["weights", "config"])
    def test_a_missing_file(self, saved, which):
        _, weights, config = saved
        (weights if which == "weights" else config).unlink()
        with pytest.raises(MissingInputError, match="mergerscope train"):
            load_encoder(weights, config)

    @pytest.mark.parametrize(
        "change",
        [{"depth": 34}, {"width": 0.25}, {"embedding_dim": 8}, {"pooling": "last"}, {"channels": 1},
         {"pairs_head": False}, {"depth": 19}, {"depth": "18"}, {"colour": "red"}],
    )  # fmt: skip
    def test_weights_of_another_network(self, saved, change):
        _, weights, config = saved
        config.write_text(json.dumps(json.loads(config.read_text()) | change))
        with pytest.raises(ContractError, match="does not fit") as caught:
            load_encoder(weights, config)
        assert len(str(caught.value)) < 800

    @pytest.mark.parametrize("text", ["", "{", "[1, 2]", "{}", "null"])
    def test_a_configuration_that_is_none(self, saved, text):
        _, weights, config = saved
        config.write_text(text)
        with pytest.raises(ContractError, match="does not fit"):
            load_encoder(weights, config)

    @pytest.mark.parametrize("kept", [0, 4, 100, 5000])
    def test_torn_weights(self, saved, kept):
        _, weights, config = saved
        weights.write_bytes(weights.read_bytes()[:kept])
        with pytest.raises(ContractError, match="does not fit"):
            load_encoder(weights, config)

    @pytest.mark.parametrize("write", [lambda value, path: path.write_bytes(pickle.dumps(value)), torch.save])
    def test_a_pickle_is_not_opened(self, saved, tmp_path, write):
        class Bomb:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "went off"),)

        _, weights, config = saved
        write({"trunk.conv1.weight": Bomb()}, weights)
        with pytest.raises(ContractError, match="does not fit"):
            load_encoder(weights, config)
        assert not (tmp_path / "went off").exists()

    def test_a_failure_leaves_the_old_files(self, saved, monkeypatch):
        encoder, weights, config = saved
        before = weights.read_bytes()
        monkeypatch.setattr("mergerscope.learn.encoder.save_file", fail)
        with pytest.raises(OSError, match="disk full"):
            save_encoder(build_encoder(replace(encoder.config, depth=34), 1), weights, config)
        assert weights.read_bytes() == before
        assert load_encoder(weights, config).config == encoder.config


def fail(state, path):
    path.write_bytes(b"half")
    raise OSError("disk full")


def test_the_network_can_be_as_large_as_the_published_ones():
    with torch.device("meta"):
        encoder = Encoder(EncoderConfig(50, 1.0, 1024, "last", 3, 96, pairs_head=False))
    assert encoder.linear.weight.shape == (1024, 2048)
