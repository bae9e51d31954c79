"""The best of many scores."""

import numpy as np
import pytest

from ml.top import best, leave_out


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


def test_histories_are_left_out_row_by_row() -> None:
    scores = np.ones((2, 3), dtype=np.float32)
    leave_out(scores, [np.array([0, 2]), np.array([], dtype=np.int32)])
    assert np.isfinite(scores).tolist() == [[False, True, False], [True, True, True]]
