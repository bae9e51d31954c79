"""The lists of a batch of users, as arrays. B users, I items, K places."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.models.base import Recommender
from ml.top import best_rows, leave_out

NOTHING = -1
"""In place of an item, where a list is shorter than the others."""


@dataclass(frozen=True)
class Lists:
    """Best first; places without an item come last."""

    items: npt.NDArray[np.int64]
    """Index of the item in the model, or ``NOTHING``, ``[B, K]``."""
    scores: npt.NDArray[np.float32]
    """By the model, ``[B, K]``."""
    propensities: npt.NDArray[np.float64]
    """Probability with which the item got to its place, ``[B, K]``."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.asarray((self.items != NOTHING).sum(axis=1), dtype=np.int64)


def best_unseen(
    model: Recommender,
    histories: Sequence[npt.NDArray[np.integer[Any]]],
    times: Sequence[npt.NDArray[np.integer[Any]]] | None,
    offered: npt.NDArray[np.bool_],
    k: int,
) -> Lists:
    """The ``k`` items with the best scores for each history, of those that are offered and were not met."""
    scores_BI = np.where(offered, model.scores(histories, times), np.float32(-np.inf))
    leave_out(scores_BI, histories)
    items_BK, scores_BK = best_rows(scores_BI, k)
    items_BK[np.isneginf(scores_BK)] = NOTHING
    return Lists(items_BK, scores_BK, np.ones(items_BK.shape))
