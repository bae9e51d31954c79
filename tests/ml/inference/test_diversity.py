"""Maximal marginal relevance on small lists, and against the formula item by item."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ml.inference.diversity import Categories, diversified
from ml.inference.slates import NO_ITEM, Lists

FILMS = Categories([["war"], ["war", "drama"], ["comedy"], ["war"], []])


def lists(items: list[list[int]], scores: list[list[float]]) -> Lists:
    return Lists(np.array(items), np.array(scores, dtype=np.float32), np.ones(np.shape(items)))


def test_similarity_is_the_cosine_of_the_categories() -> None:
    all_items = np.arange(5)[None]
    np.testing.assert_allclose(FILMS.likeness(all_items, np.array([1])), [[0.5**0.5, 1, 0, 0.5**0.5, 0]])
    np.testing.assert_allclose(FILMS.likeness(all_items, np.array([4])), [[0, 0, 0, 0, 0]])


def test_another_category_comes_before_more_of_the_same() -> None:
    found = lists([[0, 3, 1, 2]], [[1.0, 0.9, 0.8, 0.0]])
    assert diversified(found, 3, 1.0, FILMS).items.tolist() == [[0, 3, 1, 2]]
    # After 0: 3 has .45 - .5 = -.05, 1 has .4 - .35 = .05, 2 has 0. After 1, 2 has 0 and 3 is still similar to 0.
    diverse = diversified(found, 3, 0.5, FILMS)
    assert diverse.items.tolist() == [[0, 1, 2, 3]]
    assert diverse.scores[0].tolist() == np.array([1.0, 0.8, 0.0, 0.9], dtype=np.float32).tolist()
    assert diversified(found, 1, 0.5, FILMS).items.tolist() == [[0, 3, 1, 2]]  # the others stay in order


def test_short_lists_stay_short() -> None:
    found = lists([[3, NO_ITEM, NO_ITEM], [NO_ITEM] * 3], [[2.0, -np.inf, -np.inf], [-np.inf] * 3])
    assert diversified(found, 2, 0.5, FILMS).items.tolist() == [[3, NO_ITEM, NO_ITEM], [NO_ITEM] * 3]


@given(st.integers(0, 2**32), st.sampled_from([0.3, 0.7, 1.0]))
def test_each_item_maximizes_the_formula(seed: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    sets = [[str(c) for c in rng.choice(4, rng.integers(0, 4), replace=False)] for _ in range(12)]
    items = rng.permutation(12)[:8]
    scores = np.sort(rng.random(8).astype(np.float32))[::-1]
    found = diversified(Lists(items[None], scores[None].copy(), np.ones((1, 8))), 4, weight, Categories(sets)).items[0]
    assert sorted(found.tolist()) == sorted(items.tolist())
    relevance = (scores - scores.min()) / (scores.max() - scores.min())

    def likeness(a: int, b: int) -> float:
        return len(set(sets[a]) & set(sets[b])) / max(1, len(sets[a]) * len(sets[b])) ** 0.5

    chosen: list[int] = []
    for item in found[:4].tolist():
        worth = {
            int(i): weight * r - (1 - weight) * max((likeness(int(i), c) for c in chosen), default=0.0)
            for i, r in zip(items, relevance, strict=True)
            if i not in chosen
        }
        assert worth[item] >= max(worth.values()) - 1e-6
        chosen.append(item)
