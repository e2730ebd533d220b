"""The terms against torch's own losses, hand computation, and what each may and may not change."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F

from mergerscope.learn.contrast import info_nce, nt_xent
from mergerscope.learn.terms import MocoTerm, PairsTerm, SimclrTerm, make_terms, queue_length
from mergerscope.params import MocoParams, ObjectiveParams

OBJECTIVE = ObjectiveParams(projection_dim=8, moco=MocoParams(weight=1.0, momentum=0.9))


@pytest.fixture
def encoder(make_encoder):
    return make_encoder()


@pytest.fixture
def views(images):
    return {name: torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
            for seed, name in enumerate(("pair", "single", "view"))}  # fmt: skip


def features(encoder, views):
    return {name: encoder.stages(view) for name, view in views.items()}


def moco(encoder, queue=10):
    torch.manual_seed(0)
    return MocoTerm(encoder, OBJECTIVE, queue)


def keys(term, view):
    """What the term puts in its queue for one batch."""
    with torch.no_grad():
        embedding = term.key_encoder.trained_embedding(term.key_encoder.stages(view))
        return F.normalize(term.key_projector(embedding), dim=1)


class TestPairs:
    def test_the_loss_is_binary_cross_entropy(self, encoder, views):
        found = PairsTerm()(encoder, features(encoder, views), views)
        logits = torch.cat([encoder.pairs_logit(views["pair"]), encoder.pairs_logit(views["single"])])
        labels = torch.cat([torch.ones(6), torch.zeros(6)])
        torch.testing.assert_close(found["loss"], F.binary_cross_entropy_with_logits(logits, labels))
        right = ((logits > 0) == labels.bool()).float().mean()
        torch.testing.assert_close(found["accuracy"], right)

    def test_an_undecided_head_costs_a_bit_and_is_right_half_the_time(self, encoder, views):
        with torch.no_grad():
            encoder.pairs_head.weight.zero_()
            encoder.pairs_head.bias.zero_()
        found = PairsTerm()(encoder, features(encoder, views), views)
        assert found["loss"].item() == pytest.approx(math.log(2))
        assert found["accuracy"].item() == 0.5

    def test_its_gradient_reaches_head_and_trunk(self, encoder, views):
        found = PairsTerm()(encoder, features(encoder, views), views)
        found["loss"].backward()
        assert encoder.pairs_head.weight.grad.any()
        assert encoder.trunk.conv1.weight.grad.any()
        assert not found["accuracy"].requires_grad


class TestSimclr:
    def test_the_loss_is_nt_xent_of_the_projections(self, encoder, views):
        term, maps = SimclrTerm(encoder, OBJECTIVE), features(encoder, views)
        first, second = (term.projector(encoder.trained_embedding(maps[name])) for name in ("single", "view"))
        torch.testing.assert_close(term(encoder, maps, views)["loss"], nt_xent(first, second, 0.2))
        assert first.shape == (6, 8)

    @pytest.mark.parametrize(("pooling", "dim"), [("stages", 16), ("last", 10)])
    def test_its_gradient_reaches_all_that_it_uses(self, make_encoder, views, pooling, dim):
        encoder = make_encoder(pooling, dim)
        term = SimclrTerm(encoder, OBJECTIVE)
        term(encoder, features(encoder, views), views)["loss"].backward()
        used = [*term.parameters(), *encoder.trunk.parameters(), *encoder.linear.parameters()]
        assert all(part.grad is not None and part.grad.any() for part in used)


class TestMoco:
    def test_the_loss_is_info_nce_against_the_queue_before_this_batch(self, encoder, views):
        term, maps = moco(encoder), features(encoder, views)
        query = term.projector(encoder.trained_embedding(maps["single"]))
        expected = info_nce(query, keys(term, views["view"]), term.queue.clone(), 0.2)
        torch.testing.assert_close(term(encoder, maps, views)["loss"], expected)

    def test_only_the_query_side_is_trained(self, encoder, views):
        term = moco(encoder)
        term(encoder, features(encoder, {"single": views["single"]}), views)["loss"].backward()
        assert all(part.grad is None for part in (*term.key_encoder.parameters(), *term.key_projector.parameters()))
        assert all(part.grad.any() for part in term.projector.parameters())
        assert encoder.trunk.conv1.weight.grad.any()
        assert not any(part.requires_grad for part in term.key_encoder.parameters())

    def test_it_begins_with_equal_encoders_and_a_queue_on_the_sphere(self, encoder):
        term = moco(encoder, 50)
        theirs = encoder.state_dict()
        assert all(torch.equal(value, theirs[name]) for name, value in term.key_encoder.state_dict().items())
        torch.testing.assert_close(term.queue.norm(dim=1), torch.ones(50))
        assert term.queue.shape == (50, 8)

    def test_keys_go_round_the_queue(self, encoder, views):
        """Six keys into a queue of ten, three times: 0-5, then 6-9 and 0-1, then 2-7."""
        term, maps = moco(encoder, 10), features(encoder, views)
        expected = term.queue.clone()
        for places in ([0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 0, 1], [2, 3, 4, 5, 6, 7]):
            views["view"] = views["view"].flip(0) * 0.9
            expected[places] = keys(term, views["view"])
            term(encoder, maps, views)
            torch.testing.assert_close(term.queue, expected)
        assert term.cursor.item() == 8

    def test_of_a_batch_longer_than_the_queue_the_last_keys_stay(self, encoder, views):
        term = moco(encoder, 4)
        term(encoder, features(encoder, views), views)
        assert term.cursor.item() == 2
        torch.testing.assert_close(term.queue.roll(-2, 0), keys(term, views["view"])[2:])

    def test_the_key_side_follows_by_the_momentum(self, encoder):
        term = moco(encoder)
        slow = [part.clone() for part in (*term.key_encoder.parameters(), *term.key_projector.parameters())]
        with torch.no_grad():
            for part in (*encoder.parameters(), *term.projector.parameters()):
                part.add_(torch.rand(part.shape))
        fast = [part.clone() for part in (*encoder.parameters(), *term.projector.parameters())]
        term.after_step(encoder)
        moved = [*term.key_encoder.parameters(), *term.key_projector.parameters()]
        for now, before, theirs in zip(moved, slow, fast, strict=True):
            torch.testing.assert_close(now, 0.9 * before + 0.1 * theirs)
        for now, before in zip((*encoder.parameters(), *term.projector.parameters()), fast, strict=True):
            assert torch.equal(now, before)


@pytest.mark.parametrize(
    ("asked", "images", "expected"),
    [(4096, 100_000, 4096), (4096, 8192, 4096), (4096, 100, 50), (4096, 2, 1), (7, 15, 7)],
)
def test_the_queue_is_capped_at_half_the_images(asked, images, expected):
    assert queue_length(asked, images) == expected


def test_only_terms_with_a_weight_take_part(encoder):
    objective = OBJECTIVE.model_copy(update={"pairs": OBJECTIVE.pairs.model_copy(update={"weight": 0.0})})
    terms = make_terms(encoder, objective, images=20)
    assert list(terms) == ["simclr", "moco"]
    assert len(terms["moco"].queue) == 10


def test_a_step_does_nothing_to_terms_without_momentum(encoder):
    term = SimclrTerm(encoder, OBJECTIVE)
    before = copy.deepcopy(term.state_dict())
    term.after_step(encoder)
    assert all(torch.equal(value, before[name]) for name, value in term.state_dict().items())
