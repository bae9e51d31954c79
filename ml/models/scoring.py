"""Scores that several recipes share: popularity, recency weights, the fallback for empty histories."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from ml.data.interactions import DAY_US, Interactions, spans
from ml.models.base import Scores


def popularity(train: Interactions, half_life_days: float = 0) -> Scores:
    """Interactions of each item, weights halving with age, divided by those of the most popular one: float32 ``[I]``.

    Args:
        half_life_days: 0 is for ever.
    """
    met = train.met.astype(np.float64)
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
    """Histories as a sparse ``[B, I]`` matrix whose weights halve every ``half_life`` events, over the ``last`` events."""
    tails = [np.asarray(history[-last:], dtype=np.int64) for history in histories]
    lengths = np.array([len(tail) for tail in tails], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    columns = np.concatenate(tails) if tails else np.empty(0, dtype=np.int64)
    age = np.repeat(starts[1:], lengths) - 1 - np.arange(len(columns))
    matrix = sparse.csr_array(((0.5 ** (age / half_life)).astype(np.float32), columns, starts), shape=(len(tails), n_items))
    matrix.sum_duplicates()
    return matrix


def with_fallback(scores: Scores, fallback: Scores) -> Scores:
    """Scores scaled to a best of 1 in each row, plus a little popularity, which decides where there is no other signal."""
    best = scores.max(axis=1, keepdims=True, initial=0.0)
    scaled: Scores = np.divide(scores, np.where(best > 0, best, 1.0), dtype=np.float32)
    scaled += np.float32(1e-3) * fallback
    return scaled
