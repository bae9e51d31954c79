"""The best of many scores: what ranks an evaluation's lists, a served model's, and the nightly recommendations."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK = 64
"""Items of which the best one is looked at first: of many, few are looked at twice."""


def best(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
    """Indices of the ``k`` highest of one row's scores, best first; of equal ones the lower index first: ``[min(k, I)]``.

    What was left out comes last, where ``k`` reaches so far.

    >>> best(np.array([0.5, -np.inf, 2.0, 0.5], dtype=np.float32), 3)
    array([2, 0, 3])
    """
    candidates = np.arange(len(scores))
    firsts = np.fmax.reduce(scores[: len(scores) // BLOCK * BLOCK].reshape(-1, BLOCK), axis=1)
    if 0 < k < len(firsts):  # k items are at least as good as the k-th best of the blocks' best
        candidates = np.flatnonzero(scores >= kth(firsts, k))
    if 0 < k < len(candidates):
        candidates = candidates[scores[candidates] >= kth(scores[candidates], k)]
    return candidates[np.argsort(-scores[candidates], kind="stable")][:k].astype(np.int64)


def kth(scores: npt.NDArray[np.float32], k: int) -> np.float32:
    """The ``k``-th highest; what is no number is below all."""
    negative: np.float32 = np.partition(-scores, k - 1)[k - 1]
    return -negative


def best_rows(scores: npt.NDArray[np.float32], k: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """``best`` of every row of ``[B, I]``: the indices ``[B, min(k, I)]`` and their scores."""
    items = np.stack([best(row, k) for row in scores]) if len(scores) else np.empty((0, min(k, scores.shape[1])), np.int64)
    return items, np.take_along_axis(scores, items, axis=1)


def leave_out(scores: npt.NDArray[np.float32], histories: Sequence[npt.NDArray[np.integer[Any]]]) -> None:
    """Put the items of each row's history out of the question, in place; ``scores`` is ``[B, I]``."""
    for row, history in enumerate(histories):
        scores[row, history] = -np.inf
