"""Roles stay where they are, keep duplicates together and always leave a reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mergerscope.survey import roles as module
from mergerscope.survey.roles import HIDDEN, POOL, REFERENCE, ROLES, assign_roles, hash_uniform, pictures, role_codes

THIRD = 1 / 3
IDS = st.text("abcdefgh0123456789", min_size=1, max_size=6)
GALAXIES = st.dictionaries(IDS, st.tuples(st.booleans(), st.sampled_from(["p", "q", "r", "s", "", "own"])), max_size=40)


def roles_of(galaxies: dict[str, tuple[bool, str]], seed: int = 1, fraction: float = THIRD) -> dict[str, str]:
    ids = list(galaxies)
    known = [galaxies[name][0] for name in ids]
    digests = [name if galaxies[name][1] == "own" else galaxies[name][1] for name in ids]
    return dict(zip(ids, assign_roles(ids, known, digests, seed, fraction), strict=True))


def test_hash_is_uniform_and_pinned() -> None:
    draws = [hash_uniform(1, str(i)) for i in range(20_000)]
    assert min(draws) >= 0
    assert max(draws) < 1
    assert sum(value < THIRD for value in draws) / len(draws) == pytest.approx(THIRD, abs=0.012)
    # A change of this number moves every user's roles.
    assert hash_uniform(1, "587722981742084144") == pytest.approx(PINNED, abs=1e-15)


PINNED = 0.4845148433997998


def test_seed_makes_another_split() -> None:
    galaxies = {str(i): (True, "own") for i in range(200)}
    assert roles_of(galaxies, seed=1) != roles_of(galaxies, seed=2)


def test_hidden_fraction_of_zero_hides_nobody() -> None:
    assert set(roles_of({str(i): (True, "own") for i in range(50)}, fraction=0).values()) == {REFERENCE}


@given(GALAXIES, st.integers(0, 99))
def test_duplicates_share_a_role_and_only_pictures_of_known_mergers_leave_the_pool(
    galaxies: dict[str, tuple[bool, str]], seed: int
) -> None:
    roles = roles_of(galaxies, seed)
    for name, (known, digest) in galaxies.items():
        twins = [other for other, (_, d) in galaxies.items() if d == digest and d not in {"", "own"}] or [name]
        assert len({roles[twin] for twin in twins}) == 1
        assert (roles[name] == POOL) == (not any(galaxies[twin][0] for twin in twins))
        assert not known or roles[name] in {REFERENCE, HIDDEN}


@given(GALAXIES, GALAXIES, st.integers(0, 99))
@settings(max_examples=200)
def test_roles_do_not_move_when_rows_are_added(
    galaxies: dict[str, tuple[bool, str]], more: dict[str, tuple[bool, str]], seed: int
) -> None:
    before = roles_of(galaxies, seed)
    taken = {digest for _, digest in galaxies.values()}
    # Rows of new pictures, or of old ones without a merger vote.
    added = {name: (known and digest not in taken, digest) for name, (known, digest) in more.items()
             if name not in galaxies and (digest == "own" or not known or digest not in taken)}  # fmt: skip
    after = roles_of(galaxies | added, seed)
    moved = {name for name in galaxies if before[name] != after[name]}
    # Only the picture that was made a reference because the hash had hidden every other may go back.
    natural = any(role == REFERENCE and _draw(galaxies, name, seed) >= THIRD for name, role in before.items())
    if natural:
        assert not moved
    assert all(before[name] == REFERENCE and after[name] == HIDDEN for name in moved)


def _draw(galaxies: dict[str, tuple[bool, str]], name: str, seed: int) -> float:
    digest = galaxies[name][1]
    if digest == "":
        return -1  # its image cannot be decoded, so it does not count as a reference
    twins = [other for other, (known, d) in galaxies.items() if known and d == digest] if digest != "own" else [name]
    return hash_uniform(seed, min(twins))


@given(GALAXIES, st.integers(0, 99), st.floats(0, 0.999))
def test_there_is_always_a_reference_that_can_be_decoded(
    galaxies: dict[str, tuple[bool, str]], seed: int, fraction: float
) -> None:
    assume(any(known for known, _ in galaxies.values()))
    roles = roles_of(galaxies, seed, fraction)
    assert REFERENCE in roles.values()
    if any(known and digest for known, digest in galaxies.values()):
        assert any(role == REFERENCE and galaxies[name][1] for name, role in roles.items())


@given(IDS, st.integers(0, 99))
def test_one_known_merger_is_a_reference(name: str, seed: int) -> None:
    assert roles_of({name: (True, "own"), name + "x": (False, "own")}, seed, 0.99) == {name: REFERENCE,
                                                                                      name + "x": POOL}  # fmt: skip


@given(GALAXIES, st.randoms())
def test_order_of_rows_does_not_matter(galaxies: dict[str, tuple[bool, str]], random: object) -> None:
    names = list(galaxies)
    random.shuffle(names)  # type: ignore[attr-defined]
    assert roles_of(galaxies) == roles_of({name: galaxies[name] for name in names})


@pytest.mark.parametrize("at_once", [7, 1 << 16])
def test_equal_images_have_equal_numbers_and_no_others(at_once, monkeypatch):
    monkeypatch.setattr(module, "SLICE", at_once)
    drawn = np.random.default_rng(0).integers(0, 30, 200)
    digests = np.array(["" if value == 0 else f"{value:032x}" for value in drawn])
    numbers = pictures(digests)
    same = np.equal.outer(digests, digests) & (digests != "")
    np.fill_diagonal(same, True)
    np.testing.assert_array_equal(np.equal.outer(numbers, numbers), same)
    assert pictures([]).tolist() == []


def test_roles_are_numbered_by_their_place():
    assert role_codes([*ROLES, "else", None]).tolist() == [0, 1, 2, -1, -1]
    assert role_codes([]).tolist() == []
