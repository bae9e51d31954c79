"""Recommendation lists of a batch of users, as arrays: B users, I items, K places."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ml.models.base import Factored, Recommender
from ml.models.rank import best_rows, mask_seen

if TYPE_CHECKING:
    from ml.inference.inner_product_search import Search

NO_ITEM = -1
"""Fills the places of a list that is shorter than the others."""
SCORES_AT_ONCE = 1 << 22
"""Scores computed at a time: a block of 16 MB is reused, while the system would allocate a larger one anew each time."""


@dataclass(frozen=True)
class Lists:
    """One list per user, best first; empty places come last."""

    items: npt.NDArray[np.int64]
    """Index of the item in the model, or ``NO_ITEM``, ``[B, K]``."""
    scores: npt.NDArray[np.float32]
    """The model's scores, ``[B, K]``."""
    propensities: npt.NDArray[np.float64]
    """Probability with which the item got its place, ``[B, K]``."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.asarray((self.items != NO_ITEM).sum(axis=1), dtype=np.int64)

    def ordered(self, columns: npt.NDArray[np.int64]) -> "Lists":
        """The same lists with the places in another order, ``[B, K]``."""
        return Lists(
            np.take_along_axis(self.items, columns, axis=1),
            np.take_along_axis(self.scores, columns, axis=1),
            np.take_along_axis(self.propensities, columns, axis=1),
        )

    def places(self, first: int, last: int | None = None) -> "Lists":
        """Some of the places, counted from 0.

        Args:
            first: first place.
            last: place after the last; None: up to the end.

        >>> lists = Lists(np.array([[5, 6, 7]]), np.zeros((1, 3), dtype=np.float32), np.ones((1, 3)))
        >>> lists.places(1).items
        array([[6, 7]])
        """
        return Lists(self.items[:, first:last], self.scores[:, first:last], self.propensities[:, first:last])


class Best:
    """Finds the best eligible items that the user has not interacted with."""

    def __init__(self, model: Recommender, offered: npt.NDArray[np.bool_]) -> None:
        self.model, self.offered = model, offered

    def __call__(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None,
        k: int,
    ) -> Lists:
        """The ``k`` items with the best scores for each history."""
        if isinstance(self.model, Factored) and self.offered.any():
            quick = self._search.best(self.model.states(histories, times), histories, k)
            return Lists(quick.items, quick.scores, np.ones(quick.items.shape))
        rows = max(1, SCORES_AT_ONCE // max(len(self.offered), 1))
        parts = [slice(first, first + rows) for first in range(0, max(len(histories), 1), rows)]
        found = [self._of_all_scores(histories[part], None if times is None else times[part], k) for part in parts]
        items_BK, scores_BK = (np.concatenate(lists) for lists in zip(*found, strict=True))
        items_BK[np.isneginf(scores_BK)] = NO_ITEM
        return Lists(items_BK, scores_BK, np.ones(items_BK.shape))

    def _of_all_scores(
        self,
        histories: Sequence[npt.NDArray[np.integer[Any]]],
        times: Sequence[npt.NDArray[np.integer[Any]]] | None,
        k: int,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Items and scores ``[B, K]``, from the scores of all items."""
        scores_BI = np.where(self.offered, self.model.scores(histories, times), np.float32(-np.inf))
        mask_seen(scores_BI, histories)
        return best_rows(scores_BI, k)

    @cached_property
    def _search(self) -> "Search":
        from ml.inference.inner_product_search import Search  # PyTorch, which not every recipe needs

        assert isinstance(self.model, Factored)
        return Search(*self.model.item_factors(), self.offered)
