"""Exploration: places are drawn with the propensities that are recorded."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.inference.exploration import draws, explored, probabilities
from ml.inference.scorer import Policy
from ml.inference.slates import NO_ITEM, Lists
from schemas.runtime.errors import ConfigError


def lists(*rows: list[int]) -> Lists:
    items = np.array(rows, dtype=np.int64)
    return Lists(items, -items.astype(np.float32), np.ones(items.shape))


def test_each_place_has_its_own_pool() -> None:
    certain, rest = lists([1, 2], [3, 4]), lists([10, 11, 12, 13], [20, NO_ITEM, NO_ITEM, NO_ITEM])
    least = explored(certain, rest, 2, np.zeros((2, 2)))
    assert least.items.tolist() == [[1, 2, 10, 11], [3, 4, 20, NO_ITEM]]
    assert least.scores[0].tolist() == [-1, -2, -10, -11]
    np.testing.assert_allclose(least.propensities, [[1, 1, 2 / 3, 2 / 3], [1, 1, 1, 0]])
    greatest = explored(certain, rest, 2, np.full((2, 2), 1 - 2.0**-53))
    assert greatest.items.tolist() == [[1, 2, 12, 13], [3, 4, 20, NO_ITEM]]
    np.testing.assert_allclose(greatest.propensities[0], [1, 1, 1 / 3, 1 / 3])


def test_places_with_an_empty_pool_stay_empty() -> None:
    assert explored(lists([1, 2]), lists([]), 2, np.zeros((1, 2))).items.tolist() == [[1, 2]]


@given(st.integers(0, 40), st.integers(1, 5), st.integers(0, 2**32))
def test_items_are_unique_and_pools_sum_to_one(n: int, places: int, seed: int) -> None:
    rest = lists([*range(100, 100 + n), NO_ITEM, NO_ITEM])
    found = explored(lists([1, 2, 3]), rest, places, np.random.default_rng(seed).random((1, places)))
    there = found.items[found.items != NO_ITEM]
    assert len(set(there)) == len(there) == 3 + min(n, places)
    assert (found.propensities[found.items != NO_ITEM] > 0).all()
    sums = probabilities(np.arange(n)[None] < np.array([[n], [min(n, 1)]])).sum(axis=1)
    np.testing.assert_allclose(sums, [1.0, 1.0] if n else [0.0, 0.0])


def test_draw_frequencies_match_propensities() -> None:
    users = [f"user {n}" for n in range(20_000)]
    n = len(users)
    certain, rest = lists(*[[1]] * n), lists(*[list(range(10, 21))] * n)
    found = explored(certain, rest, 2, draws(users, 2, "7|2024-03-01"))
    for place in (1, 2):
        for item in range(9 + place, 21, 2):
            hit = found.items[:, place] == item
            (said,) = set(found.propensities[hit, place].tolist())
            assert abs(hit.mean() - said) < 4 * np.sqrt(said * (1 - said) / n)  # four standard errors
    # With inverse propensity weights each item of the pool has an expected weight of 1, and the pool has 6 items.
    np.testing.assert_allclose((1 / found.propensities[:, 1]).mean(), 6, rtol=0.05)


@given(st.lists(st.text(), min_size=1, unique=True))
def test_a_draw_does_not_depend_on_other_users(users: list[str]) -> None:
    together = draws(users, 3, "7|2024-03-01")
    assert ((together >= 0) & (together < 1)).all()
    np.testing.assert_array_equal(draws(users[-1:], 3, "7|2024-03-01"), together[-1:])
    assert not np.array_equal(draws(users, 3, "7|2024-03-02"), together)
    assert not np.array_equal(draws(users, 3, "8|2024-03-01"), together)


def test_the_first_place_cannot_be_drawn() -> None:
    with pytest.raises(ConfigError, match=r"3 places of 3 are to be drawn; in CLICKWRIGHT_RECOMMEND_EXPLORED; leave"):
        Policy(k=3, batch_users=1, explored=3)
