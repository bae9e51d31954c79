"""Scores that several recipes share: popularity, recency weights, fallback for empty histories."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ml.data.interactions import DAY_US, Interactions, spans
from ml.models.base import Scores


def popularity(train: Interactions, half_life_days: float = 0) -> Scores:
    """Weighted interactions of each item, divided by those of the most popular one: float32 ``[I]``.

    Args:
        train: interactions to count.
        half_life_days: age at which an event's weight has halved; with 0 all events weigh the same.

    >>> log = Interactions(1, 3, np.zeros(3, np.int32), np.array([0, 2, 2]), np.arange(3), np.zeros(3))
    >>> popularity(log)
    array([0.5, 0. , 1. ], dtype=float32)
    """
    met = train.item_counts.astype(np.float64)
    if half_life_days:
        met[:] = 0
        newest = train.time.max(initial=0)
        for rows in spans(len(train)):
            age_days = (newest - train.time[rows]) / DAY_US
            met += np.bincount(train.item_index[rows], weights=0.5 ** (age_days / half_life_days), minlength=train.n_items)
    return np.asarray(met / max(float(met.max(initial=0)), 1e-12), dtype=np.float32)


def recency_weights(
    histories: Sequence[npt.NDArray[np.integer[Any]]], n_items: int, *, half_life: float, last: int
) -> sparse.csr_array:
    """Histories as a sparse matrix of weights, ``[B, I]``.

    Args:
        histories: item indices of each user, oldest first.
        n_items: I.
        half_life: events after which a weight has halved.
        last: number of most recent events to use.

    >>> recency_weights([np.array([0, 2, 0])], 3, half_life=1.0, last=10).toarray()
    array([[1.25, 0.  , 0.5 ]], dtype=float32)
    """
    tails = [np.asarray(history[-last:], dtype=np.int64) for history in histories]
    lengths = np.array([len(tail) for tail in tails], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    columns = np.concatenate(tails) if tails else np.empty(0, dtype=np.int64)
    age = np.repeat(starts[1:], lengths) - 1 - np.arange(len(columns))
    matrix = sparse.csr_array(((0.5 ** (age / half_life)).astype(np.float32), columns, starts), shape=(len(tails), n_items))
    matrix.sum_duplicates()
    return matrix


def with_fallback(scores: Scores, fallback: Scores) -> Scores:
    """Scale each row to a best score of 1, and add a little popularity for users without any other signal.

    Args:
        scores: ``[B, I]``.
        fallback: popularity, ``[I]``.

    >>> with_fallback(np.zeros((1, 2), np.float32), np.array([1.0, 0.5], np.float32))
    array([[0.001 , 0.0005]], dtype=float32)
    """
    best = scores.max(axis=1, keepdims=True, initial=0.0)
    scaled: Scores = np.divide(scores, np.where(best > 0, best, 1.0), dtype=np.float32)
    scaled += np.float32(1e-3) * fallback
    return scaled
