"""Measures of ranked lists against what was right.

A question has a list of the k best items and r right items. ``hits`` says which places of the list hold a right item, bool
``[Q, k]``; ``relevant`` how many right items there are, int ``[Q]``, at least 1. Every measure returns float64 ``[Q]``.
The definitions are those of Manning, Raghavan and Schütze, Introduction to Information Retrieval (2008), chapter 8, cut at k;
NDCG is that of Järvelin and Kekäläinen (2002) with gains of 0 and 1.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Hits = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer[Any]]
BEHIND = int(np.iinfo(np.int32).max)
"""The place of a right item that is in no list, however short the catalogue and however many share the place."""


def hits_of(ranks: Integers, question: Integers, k: int) -> tuple[Hits, Integers]:
    """Which places hold a right item, and how many right items there are, one row a question in ascending order.

    Args:
        ranks: of every right item the place in the whole ranking, 1 is the best, ``[C]``. Where right items of a question
            share a place (equal scores), they take the places up to it.
        question: whose right item it is, ``[C]``.
    """
    names, row, relevant = np.unique(question, return_inverse=True, return_counts=True)
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
    """1 where the list holds a right item, else 0."""
    return np.asarray(hits.any(axis=1), dtype=np.float64)


def precision(hits: Hits, relevant: Integers) -> Floats:
    """Right items in the list / k."""
    return np.asarray(hits.sum(axis=1) / hits.shape[1], dtype=np.float64)


def recall(hits: Hits, relevant: Integers) -> Floats:
    """Right items in the list / right items."""
    return np.asarray(hits.sum(axis=1) / relevant, dtype=np.float64)


def f1(hits: Hits, relevant: Integers) -> Floats:
    """2 P R / (P + R), 0 where both are."""
    p, r = precision(hits, relevant), recall(hits, relevant)
    return np.divide(2 * p * r, p + r, out=np.zeros_like(p), where=p + r > 0)


def ndcg(hits: Hits, relevant: Integers) -> Floats:
    """DCG / IDCG, with DCG the sum over the places i of hits of 1 / log2(i + 1); the ideal list begins with min(r, k) hits."""
    gains = 1.0 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.cumsum(gains)[np.minimum(relevant, hits.shape[1]) - 1]
    return np.asarray((hits * gains).sum(axis=1) / ideal, dtype=np.float64)


def mrr(hits: Hits, relevant: Integers) -> Floats:
    """1 / place of the first hit, 0 without one."""
    return np.where(hits.any(axis=1), 1.0 / (hits.argmax(axis=1) + 1), 0.0)


def average_precision(hits: Hits, relevant: Integers) -> Floats:
    """Sum over the places i of hits of the precision at i, / min(r, k). Its mean is MAP at k."""
    k = hits.shape[1]
    at = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    return np.asarray((at * hits).sum(axis=1) / np.minimum(relevant, k), dtype=np.float64)
