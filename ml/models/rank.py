"""The best of many scores: what ranks an evaluation's lists, a served model's, and the nightly recommendations."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ml import metrics
from ml.data.cases import Cases
from ml.metrics.bootstrap import _mean
from ml.models.base import Recommender

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


K = 10


class Ranked(NamedTuple):
    """What a model answers."""

    ranks: npt.NDArray[np.int64]
    """The right item's rank in each case, ``[C]``."""
    lists: npt.NDArray[np.int64]
    """The best ``k`` items of each question, ``[Q, k]``."""
    claimed: npt.NDArray[np.float64] | None
    """See :class:`Evaluation`."""


def rank_cases(model: Recommender, cases: Cases, *, k: int = K, batch_size: int = 256) -> Ranked:
    """Every item ranked for every question."""
    ranks = np.empty(len(cases), dtype=np.int64)
    lists: list[npt.NDArray[np.int64]] = []
    claimed: list[npt.NDArray[np.float64]] = []
    starts = np.append(cases.first, len(cases))
    for first in range(0, len(starts) - 1, batch_size):
        asked = starts[first : first + batch_size + 1]
        histories = [cases.histories[case] for case in asked[:-1]]
        times = None if cases.times is None else [cases.times[case] for case in asked[:-1]]
        scores = model.scores(histories, times)
        leave_out(scores, histories)
        row = np.repeat(np.arange(len(histories)), np.diff(asked))
        for begin in range(0, len(row), batch_size):
            part = row[begin : begin + batch_size]
            chosen = slice(asked[0] + begin, asked[0] + begin + len(part))
            ranks[chosen] = rank_of_target(scores[part], cases.target[chosen])
        lists += [best(row, k) for row in scores]
        if model.probabilistic:
            claimed.append(share_of_best(scores, k))
    return Ranked(
        ranks,
        np.stack(lists) if lists else np.empty((0, k), dtype=np.int64),
        np.concatenate([*claimed, np.empty(0)]) if model.probabilistic else None,
    )


def share_of_best(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.float64]:
    """The part of a softmax over ``scores`` ``[B, I]`` that the best ``k`` have, ``[B]``; -inf has none."""
    most = scores.max(axis=1, keepdims=True)
    weights = np.exp(scores.astype(np.float64) - np.where(np.isfinite(most), most, 0))
    top = -np.partition(-weights, k - 1, axis=1)[:, :k] if scores.shape[1] > k else weights
    # Nothing is left where everything was met: a list of nothing claims nothing.
    return np.asarray(top.sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-300), dtype=np.float64)


def ndcg_of(ranks: npt.NDArray[np.int64], cases: Cases, k: int = K) -> float:
    """Mean NDCG at ``k`` over users: what models are tuned by."""
    ndcg = metrics.ndcg(*metrics.hits_of(ranks, cases.question, k))
    return _mean(metrics.mean_by_user(ndcg, cases.user[cases.first]))


def rank_of_target(scores: npt.NDArray[np.float32], target: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """The right items' ranks in ``scores`` ``[B, I]``: ``[B]``; one that the catalogue does not hold is behind everything."""
    own = np.where(target >= 0, scores[np.arange(len(target)), np.maximum(target, 0)], -np.inf)
    # The right item is counted among those that are not worse than itself, so this starts at 1; a score that is no number is
    # worse than none, and none is worse than it, so it counts against the model.
    ranks = np.where(target >= 0, (~(scores < own[:, None])).sum(axis=1), metrics.BEHIND)
    return np.asarray(ranks, dtype=np.int64)
