"""Metrics of ranked lists against the right items.

A query has a list of the k best items, and r right items. ``hits`` marks the places of the list with a right item, bool
``[Q, k]``; ``relevant`` is the number of right items, int ``[Q]``, at least 1. Every metric returns float64 ``[Q]``.
The definitions are those of Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008), chapter 8, cut at k;
NDCG is that of Järvelin and Kekäläinen (2002) with gains of 0 and 1.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Hits = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]
UNRANKED = int(np.iinfo(np.int32).max)
"""The rank of a right item that never appears in a list; larger than any other rank."""


def hits_of(ranks: Integers, query: Integers, k: int) -> tuple[Hits, Integers]:
    """``hits`` and ``relevant``, one row per query in ascending order.

    Args:
        ranks: rank of each right item in the whole catalogue, 1 is the best, ``[C]``. Right items of a query that share a
            rank (equal scores) take the places up to it.
        query: the query of each right item, ``[C]``.
        k: length of the lists.

    >>> hits, relevant = hits_of(np.array([2, 9, 1]), query=np.array([7, 7, 8]), k=3)
    >>> hits.astype(int).tolist(), relevant.tolist()
    ([[0, 1, 0], [1, 0, 0]], [2, 1])
    """
    names, row, relevant = np.unique(query, return_inverse=True, return_counts=True)
    hits = np.zeros((len(names), k), dtype=np.bool_)
    order = np.lexsort((-ranks, row))
    places, rows = ranks[order].astype(np.int64), row[order]
    for _ in range(int(relevant.max(initial=1)) - 1):
        shared = np.flatnonzero((rows[1:] == rows[:-1]) & (places[1:] >= places[:-1])) + 1
        if not len(shared):
            break
        places[shared] = places[shared - 1] - 1
    shown = places <= k
    hits[rows[shown], places[shown] - 1] = True
    return hits, relevant


def hit_rate(hits: Hits, relevant: Integers) -> Floats:
    """1 if the list holds a right item, else 0.

    Args:
        hits: places with a right item, ``[Q, k]``.
        relevant: number of right items, ``[Q]``; not used.

    >>> hit_rate(np.array([[False, True, False, True]]), np.array([4]))
    array([1.])
    """
    return np.asarray(hits.any(axis=1), dtype=np.float64)


def precision(hits: Hits, relevant: Integers) -> Floats:
    """Right items in the list / k.

    Args:
        hits: places with a right item, ``[Q, k]``.
        relevant: number of right items, ``[Q]``; not used.

    >>> precision(np.array([[False, True, False, True]]), np.array([4]))
    array([0.5])
    """
    return np.asarray(hits.sum(axis=1) / hits.shape[1], dtype=np.float64)


def recall(hits: Hits, relevant: Integers) -> Floats:
    """Right items in the list / right items.

    Args:
        hits: places with a right item, ``[Q, k]``.
        relevant: number of right items, ``[Q]``.

    >>> recall(np.array([[False, True, False, True]]), np.array([4]))
    array([0.5])
    """
    return np.asarray(hits.sum(axis=1) / relevant, dtype=np.float64)


def f1(hits: Hits, relevant: Integers) -> Floats:
    """2 P R / (P + R), or 0 where both are 0.

    Args:
        hits: places with a right item, ``[Q, k]``.
        relevant: number of right items, ``[Q]``.

    >>> f1(np.array([[False, True, False, True]]), np.array([4]))
    array([0.5])
    """
    p, r = precision(hits, relevant), recall(hits, relevant)
    return np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=p + r > 0)


def ndcg(hits: Hits, relevant: Integers) -> Floats:
    """DCG / IDCG, with DCG the sum over the places i of hits of 1 / log2(i + 1); the ideal list begins with min(r, k) hits.

    Args:
        hits: places with a right item, ``[Q, k]``.
        relevant: number of right items, ``[Q]``.

    >>> ndcg(np.array([[False, True, False, True]]), np.array([4])).round(3)
    array([0.414])
    """
    gains = 1.0 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.cumsum(gains)[np.minimum(relevant, hits.shape[1]) - 1]
    return np.asarray((hits * gains).sum(axis=1) / ideal, dtype=np.float64)


def mrr(hits: Hits, relevant: Integers) -> Floats:
    """1 / place of the first hit, or 0 without a hit.

    Args:
        hits: places with a right item, ``[Q, k]``.
        relevant: number of right items, ``[Q]``; not used.

    >>> mrr(np.array([[False, True, False, True]]), np.array([4]))
    array([0.5])
    """
    return np.where(hits.any(axis=1), 1.0 / (hits.argmax(axis=1) + 1), 0.0)


def average_precision(hits: Hits, relevant: Integers) -> Floats:
    """Sum of the precision at each hit's place / min(r, k); its mean over queries is MAP at k.

    Args:
        hits: places with a right item, ``[Q, k]``.
        relevant: number of right items, ``[Q]``.

    >>> average_precision(np.array([[False, True, False, True]]), np.array([4]))
    array([0.25])
    """
    k = hits.shape[1]
    at = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    return np.asarray((at * hits).sum(axis=1) / np.minimum(relevant, k), dtype=np.float64)
