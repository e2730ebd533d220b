"""Encounters as synthetic mergers: where they come from, and that they take the place of the galaxy alone."""

import pytest
import torch

from mergerscope.learn import encounters, pairs
from mergerscope.learn.compose import isolate
from mergerscope.learn.encounters import encounter_bank, make_encounters
from mergerscope.learn.pairs import make_pairs
from mergerscope.params import PairsParams, ViewsParams

STILL = ViewsParams(strength=0)
SIDE = 32


@pytest.fixture(scope="module", autouse=True)
def few_together():
    """As many encounters as a bank of these tests needs, and not the sixty-four of a real one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encounters, "TOGETHER", 16)
        yield


@pytest.fixture(scope="module")
def bank(few_together):
    return encounter_bank(SIDE, seed=3, count=6)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class TestBank:
    def test_old_and_young_light_of_peak_one(self, bank):
        assert bank.shape == (6, 2, SIDE, SIDE)
        assert bank.min() >= 0
        torch.testing.assert_close(bank.sum(1).amax((1, 2)), torch.ones(6))

    def test_the_seed_is_all_that_matters(self, bank):
        assert torch.equal(encounter_bank(SIDE, seed=3, count=2), bank[:2])
        assert not torch.equal(encounter_bank(SIDE, seed=4, count=2), bank[:2])

    def test_only_what_shows_is_taken(self, monkeypatch):
        asked = []
        monkeypatch.setattr(encounters, "TOGETHER", 8)
        monkeypatch.setattr(encounters, "_shows", lambda merger, half: asked.append(merger) or len(asked) % 4 == 0)
        assert len(encounter_bank(16, seed=1, count=2)) == 2
        assert len(asked) == 8


class TestMaking:
    def test_light_and_colour_of_the_galaxy_that_it_replaces(self, bank, draw_blobs, monkeypatch):
        monkeypatch.setattr(encounters, "BRIGHTNESS", (1.0, 1.0))
        x = draw_blobs(5, SIDE, 0.2, colour=(0.9, 0.6, 0.4), peak=0.5)
        found = make_encounters(x, bank, STILL, seeded())
        assert found.shape == x.shape
        light, theirs = found.sum((2, 3)), isolate(x).sum((2, 3))
        # Light that would be beyond white is lost, and so is what lies outside of the field.
        assert (light.sum(1) / theirs.sum(1)).mean().item() == pytest.approx(1, abs=0.25)
        torch.testing.assert_close(light / light.sum(1, keepdim=True), theirs / theirs.sum(1, keepdim=True), atol=0.06,
                                   rtol=0)  # fmt: skip

    def test_the_sky_and_its_neighbours_stay(self, bank, draw_blobs):
        neighbour = draw_blobs(1, SIDE, 0.05, x=0.85, y=0.85)
        x = draw_blobs(1, SIDE, 0.1, peak=0.5) + neighbour + 0.03
        found = make_encounters(x, bank, STILL, seeded())
        place = neighbour > 0.5
        torch.testing.assert_close(found[place], x[place], atol=0.1, rtol=0)

    def test_black_pictures_stay_finite(self, bank):
        found = make_encounters(torch.zeros(3, 3, SIDE, SIDE), bank, ViewsParams(), seeded())
        assert torch.isfinite(found).all()
        assert found.min() >= 0
        assert found.max() <= 1


class TestShare:
    @pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
    def test_of_the_pairs(self, share, bank, draw_blobs, monkeypatch):
        monkeypatch.setattr(pairs, "STAR_SHARE", 0)
        monkeypatch.setattr(pairs, "make_encounters", lambda images, *rest: torch.full_like(images, 0.123))
        settings = PairsParams(encounters=share)
        made = make_pairs(draw_blobs(400, 16, 0.2), settings, STILL, seeded(), bank)
        marked = (made == 0.123).flatten(1).all(1)
        assert marked.float().mean().item() == pytest.approx(share, abs=0.07 if 0 < share < 1 else 0)
