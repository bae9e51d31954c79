"""Top-k selection for evaluations, served models and nightly recommendations."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ml import metrics
from ml.data.cases import Cases
from ml.metrics.bootstrap import safe_mean
from ml.models.base import Recommender

K = 10
"""Length of a list, unless a caller asks for another."""
BLOCK = 64
"""Items per block; the best scores of the blocks bound the k-th best score, so few items need sorting."""


def best(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
    """Indices of the ``k`` highest scores of one row, best first, ties by lower index: ``[min(k, I)]``.

    Masked items (-inf) come last, items whose score is NaN after them.

    Args:
        scores: ``[I]``.
        k: length of the list.

    >>> best(np.array([0.5, -np.inf, 2.0, 0.5], dtype=np.float32), 3)
    array([2, 0, 3])
    """
    candidates = np.arange(len(scores))
    firsts = np.fmax.reduce(scores[: len(scores) // BLOCK * BLOCK].reshape(-1, BLOCK), axis=1)
    if 0 < k < len(firsts):  # k items are at least as good as the k-th best of the blocks' best
        candidates = np.flatnonzero(~(scores < kth(firsts, k)))  # a NaN bound drops nothing
    if 0 < k < len(candidates):
        candidates = candidates[~(scores[candidates] < kth(scores[candidates], k))]
    return candidates[np.argsort(-scores[candidates], kind="stable")][:k].astype(np.int64)


def kth(scores: npt.NDArray[np.float32], k: int) -> np.float32:
    """The ``k``-th highest score; NaN sorts below every number.

    Args:
        scores: ``[I]``.
        k: from 1 to I.

    >>> float(kth(np.array([0.5, np.nan, 2.0], dtype=np.float32), 2))
    0.5
    """
    negative: np.float32 = np.partition(-scores, k - 1)[k - 1]
    return -negative


def best_rows(scores: npt.NDArray[np.float32], k: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """``best`` of every row: the indices and their scores, both ``[B, min(k, I)]``.

    Args:
        scores: ``[B, I]``.
        k: length of the lists.

    >>> items, found = best_rows(np.array([[0.5, 2.0, 1.0]], dtype=np.float32), 2)
    >>> items.tolist(), found.tolist()
    ([[1, 2]], [[2.0, 1.0]])
    """
    items = np.stack([best(row, k) for row in scores]) if len(scores) else np.empty((0, min(k, scores.shape[1])), np.int64)
    return items, np.take_along_axis(scores, items, axis=1)


def mask_seen(scores: npt.NDArray[np.float32], histories: Sequence[npt.NDArray[np.integer[Any]]]) -> None:
    """Set the scores of each row's history to -inf, in place.

    Args:
        scores: ``[B, I]``.
        histories: item indices of each row.

    >>> scores = np.ones((1, 3), dtype=np.float32)
    >>> mask_seen(scores, [np.array([0, 2])])
    >>> scores
    array([[-inf,   1., -inf]], dtype=float32)
    """
    for row, history in enumerate(histories):
        scores[row, history] = -np.inf


class Ranked(NamedTuple):
    """A model's ranking of the catalogue for a set of cases."""

    ranks: npt.NDArray[np.int64]
    """Rank of the right item of each case, ``[C]``."""
    lists: npt.NDArray[np.int64]
    """The best ``k`` items of each query, ``[Q, k]``."""
    predicted_hit_probability: npt.NDArray[np.float64] | None
    """See :class:`Evaluation`."""


def rank_cases(model: Recommender, cases: Cases, *, k: int = K, batch_size: int = 256) -> Ranked:
    """Rank all items for every query.

    Args:
        model: fitted on the catalogue of ``cases``.
        cases: the queries.
        k: length of the lists.
        batch_size: queries scored at a time.
    """
    ranks = np.empty(len(cases), dtype=np.int64)
    lists: list[npt.NDArray[np.int64]] = []
    predicted_hit_probability: list[npt.NDArray[np.float64]] = []
    for scores in _scored(model, cases, batch_size, ranks):
        lists += [best(row, k) for row in scores]
        if model.probabilistic:
            predicted_hit_probability.append(share_of_best(scores, k))
    return Ranked(
        ranks,
        np.stack(lists) if lists else np.empty((0, k), dtype=np.int64),
        np.concatenate([*predicted_hit_probability, np.empty(0)]) if model.probabilistic else None,
    )


def tuning_score(model: Recommender, cases: Cases, *, batch_size: int = 256) -> float:
    """NDCG@10 by which settings are chosen; the same as of :func:`rank_cases`, without the cost of the lists.

    Args:
        model: fitted on the catalogue of ``cases``.
        cases: the queries.
        batch_size: queries scored at a time.
    """
    ranks = np.empty(len(cases), dtype=np.int64)
    for _ in _scored(model, cases, batch_size, ranks):
        pass
    return ndcg_of(ranks, cases)


def _scored(
    model: Recommender, cases: Cases, batch_size: int, ranks: npt.NDArray[np.int64]
) -> Iterator[npt.NDArray[np.float32]]:
    """The scores of a batch of queries after the other, with seen items at -inf; fills ``ranks`` on the way."""
    starts = np.append(cases.first, len(cases))
    for first in range(0, len(starts) - 1, batch_size):
        asked = starts[first : first + batch_size + 1]
        histories = [cases.histories[case] for case in asked[:-1]]
        times = None if cases.times is None else [cases.times[case] for case in asked[:-1]]
        scores = model.scores(histories, times)
        mask_seen(scores, histories)
        row = np.repeat(np.arange(len(histories)), np.diff(asked))
        for begin in range(0, len(row), batch_size):
            part = row[begin : begin + batch_size]
            chosen = slice(asked[0] + begin, asked[0] + begin + len(part))
            ranks[chosen] = rank_of_target(scores[part], cases.target[chosen])
        yield scores


def share_of_best(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.float64]:
    """The softmax probability of the best ``k`` items together, ``[B]``; -inf has probability 0.

    Args:
        scores: ``[B, I]``.
        k: length of the lists.

    >>> share_of_best(np.log([[6.0, 2.0, 1.0, 1.0]]), 2).round(6)
    array([0.8])
    """
    most = scores.max(axis=1, keepdims=True)
    weights = np.exp(scores.astype(np.float64) - np.where(np.isfinite(most), most, 0))
    top = -np.partition(-weights, k - 1, axis=1)[:, :k] if scores.shape[1] > k else weights
    # For a user who has seen every item all weights are 0, and so is the probability.
    return np.asarray(top.sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-300), dtype=np.float64)


def ndcg_of(ranks: npt.NDArray[np.int64], cases: Cases, k: int = K) -> float:
    """Mean NDCG at ``k`` over users, by which models are tuned.

    Args:
        ranks: rank of the right item of each case, ``[C]``.
        cases: the queries.
        k: length of the lists.
    """
    ndcg = metrics.ndcg(*metrics.hits_of(ranks, cases.query, k))
    return safe_mean(metrics.mean_by_user(ndcg, cases.user[cases.first]))


def rank_of_target(scores: npt.NDArray[np.float32], target: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Ranks of the right items, ``[B]``; ``UNRANKED`` for items outside the catalogue. Ties count against the model.

    Args:
        scores: ``[B, I]``.
        target: index of the right item, ``[B]``; below 0 outside the catalogue.

    >>> rank_of_target(np.array([[0.5, 0.9, 0.5]], dtype=np.float32), np.array([0]))
    array([3])
    """
    own = np.where(target >= 0, scores[np.arange(len(target)), np.maximum(target, 0)], -np.inf)
    # The right item is not worse than itself, so ranks start at 1. Comparisons with NaN are false, so NaN counts against the
    # model.
    ranks = np.where(target >= 0, (~(scores < own[:, None])).sum(axis=1), metrics.UNRANKED)
    return np.asarray(ranks, dtype=np.int64)
