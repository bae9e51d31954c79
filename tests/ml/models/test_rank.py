"""Top-k selection."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.models.rank import BLOCK, best, mask_seen


@pytest.mark.parametrize(
    ("scores", "k", "expected"),
    [
        ([1.0, 3.0, 2.0], 2, [1, 2]),
        ([2.0, 1.0, 2.0, 2.0], 2, [0, 2]),  # ties: the lower index first, also at the border
        ([1.0, 2.0, 2.0, 0.0], 3, [1, 2, 0]),
        ([1.0, -np.inf, 2.0], 5, [2, 0, 1]),  # -inf comes last
        ([np.nan, np.nan, 1.0], 2, [2, 0]),  # fewer numbers than places
        ([], 5, []),
    ],
)
def test_best(scores: list[float], k: int, expected: list[int]) -> None:
    assert best(np.array(scores, np.float32), k).tolist() == expected


@given(st.integers(0, 2**32), st.integers(0, 9 * BLOCK), st.integers(0, 12), st.sampled_from([2, 50, 10**6]))
def test_best_equals_full_sort(seed: int, items: int, k: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, values, items).astype(np.float32)  # few values, so many ties
    scores[rng.random(items) < rng.random()] = -np.inf
    scores[rng.random(items) < rng.choice([0, rng.random()])] = np.nan
    assert best(scores, k).tolist() == np.argsort(-scores, kind="stable")[:k].tolist()


@pytest.mark.parametrize("items", [4, 9 * BLOCK])
def test_nan_sorts_last(items: int) -> None:
    scores = np.arange(items, dtype=np.float32)
    scores[[0, 2]] = np.nan
    assert best(scores, 2).tolist() == ([3, 1] if items == 4 else [items - 1, items - 2])


def test_leave_out_masks_each_history() -> None:
    scores = np.ones((2, 3), dtype=np.float32)
    mask_seen(scores, [np.array([0, 2]), np.array([], dtype=np.int32)])
    assert np.isfinite(scores).tolist() == [[False, True, False], [True, True, True]]
