"""The bfloat16 search equals an exhaustive search, also for users whose bound does not hold."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.inference.inner_product_search import GROUP, GROUPS, Search, candidates, first_of_equals
from ml.models.rank import best, mask_seen

ITEMS, WIDTH, K = 8000, 8, 10


def vectors(seed: int, spread: float = 1.0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Vectors and bias of items, and states of users."""
    made = torch.Generator().manual_seed(seed)
    items = torch.randn(ITEMS, WIDTH, generator=made) * spread
    return items, torch.randn(ITEMS, generator=made) - 9, torch.randn(40, WIDTH, generator=made)


def expected(items: torch.Tensor, bias: torch.Tensor, states: torch.Tensor, offered: np.ndarray, met: list) -> np.ndarray:
    scores = np.where(offered, (states @ items.T + bias).numpy(), -np.inf).astype(np.float32)
    mask_seen(scores, met)
    return np.stack([best(row, K) for row in scores])


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.1, 1.0, 10.0]))
def test_quick_search_equals_exhaustive_search(seed: int, spread: float) -> None:
    items, bias, states = vectors(seed, spread)
    rng = np.random.default_rng(seed)
    offered = rng.random(ITEMS) < 0.9
    met = [rng.choice(ITEMS, rng.integers(0, 30), replace=False) for _ in states]
    for user, state in enumerate(states[:5]):  # they have interacted with their best items
        met[user] = best((state @ items.T + bias).numpy(), 20)
    wanted = expected(items, bias, states, offered, met)
    for quick in (True, False):
        found = Search(items, bias, offered, quick=quick).best(states, met, K)
        assert found.proven == (len(states) if quick else 0)
        scores = (states @ items.T + bias).numpy()
        np.testing.assert_allclose(found.scores, np.take_along_axis(scores, found.items, 1), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found.scores, np.take_along_axis(scores, wanted, 1), rtol=1e-4, atol=1e-4)
        assert (found.items == wanted).mean() > 0.99  # two scores may differ in the last digit only


def test_users_without_proof_are_scored_in_full() -> None:
    items, bias, states = vectors(1)
    items[1000:3000], bias[1000:3000] = items[7], -1.0  # two thousand equal items, which many users like best
    nothing = [np.empty(0, dtype=np.int64)] * len(states)
    found = Search(items, bias, np.ones(ITEMS, dtype=bool), quick=True).best(states, nothing, K)
    assert 0 < found.proven < len(states)
    of_a_kind = ((found.items >= 1000) & (found.items < 3000)).all(axis=1)
    assert 0 < of_a_kind.sum() < len(states)
    scores = (states @ items.T + bias).numpy()
    wanted = expected(items, bias, states, np.ones(ITEMS, dtype=bool), nothing)
    np.testing.assert_allclose(found.scores, np.take_along_axis(scores, wanted, 1), rtol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_results_do_not_depend_on_the_batch(threads: int) -> None:
    items, bias, states = vectors(2)
    states = states.repeat(8, 1)
    met = [np.arange(user) for user in range(len(states))]
    search = Search(items, bias, np.ones(ITEMS, dtype=bool), quick=True, threads=threads)
    together = search.best(states, met, K)
    order = np.random.default_rng(0).permutation(len(states))
    mixed = search.best(states[order], [met[user] for user in order], K)
    np.testing.assert_array_equal(mixed.items, together.items[order])
    np.testing.assert_allclose(mixed.scores, together.scores[order], rtol=1e-6)


def test_users_who_have_seen_nearly_all_items_get_the_rest() -> None:
    items, bias, states = vectors(3)
    search = Search(items, bias, np.ones(ITEMS, dtype=bool), quick=True)
    found = search.best(states[:1], [np.arange(2, ITEMS)], K)
    assert sorted(found.items[0, :2].tolist()) == [0, 1]
    assert found.items[0, 2:].tolist() == [-1] * (K - 2)
    nothing = search.best(states[:0], [], K)
    assert nothing.items.shape == nothing.scores.shape == (0, K)


@given(st.integers(0, 2**32))
def test_candidates_are_the_highest_scores(seed: int) -> None:
    scores = torch.randn(3, 10 * GROUP * GROUPS, generator=torch.Generator().manual_seed(seed)).bfloat16()
    columns, least = candidates(scores, 10)
    for row, found, lowest in zip(scores.float(), columns, least, strict=True):
        assert len(set(found.tolist())) == 10
        assert row[found].sort().values.tolist() == row.topk(10).values.flip(0).tolist()
        assert lowest == row[found].min()


def test_ties_go_to_the_lower_column() -> None:
    columns, scores = first_of_equals(torch.tensor([[7, 2, 9, 4]]), torch.tensor([[1.0, 1.0, 3.0, 1.0]]), 3)
    assert (columns.tolist(), scores.tolist()) == ([[9, 2, 4]], [[3.0, 1.0, 1.0]])
