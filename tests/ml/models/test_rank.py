"""The best of many scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.models.rank import BLOCK, best, leave_out


@pytest.mark.parametrize(
    ("scores", "k", "expected"),
    [
        ([1.0, 3.0, 2.0], 2, [1, 2]),
        ([2.0, 1.0, 2.0, 2.0], 2, [0, 2]),  # equals: the lower index first, at the border too
        ([1.0, 2.0, 2.0, 0.0], 3, [1, 2, 0]),
        ([1.0, -np.inf, 2.0], 5, [2, 0, 1]),  # what was left out comes last
        ([], 5, []),
    ],
)
def test_the_best(scores: list[float], k: int, expected: list[int]) -> None:
    assert best(np.array(scores, np.float32), k).tolist() == expected


@given(st.integers(0, 2**32), st.integers(0, 9 * BLOCK), st.integers(0, 12), st.sampled_from([2, 50, 10**6]))
def test_of_many_they_are_those_of_a_sort(seed: int, items: int, k: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, values, items).astype(np.float32)  # few values, many equals
    scores[rng.random(items) < rng.random()] = -np.inf
    assert best(scores, k).tolist() == np.argsort(-scores, kind="stable")[:k].tolist()


@pytest.mark.parametrize("items", [4, 9 * BLOCK])
def test_what_is_no_number_is_behind_all(items: int) -> None:
    scores = np.arange(items, dtype=np.float32)
    scores[[0, 2]] = np.nan
    assert best(scores, 2).tolist() == ([3, 1] if items == 4 else [items - 1, items - 2])


def test_histories_are_left_out_row_by_row() -> None:
    scores = np.ones((2, 3), dtype=np.float32)
    leave_out(scores, [np.array([0, 2]), np.array([], dtype=np.int32)])
    assert np.isfinite(scores).tolist() == [[False, True, False], [True, True, True]]
