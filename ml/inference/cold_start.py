"""Cold start: users without usable history get the items most popular in their segment over the last 30 days.

A small segment is weak evidence. So its shares are smoothed towards those of all users, as if ``PRIOR_STRENGTH`` more
interactions had been distributed like theirs:  score = (n + PRIOR_STRENGTH * share among all users) / (N + PRIOR_STRENGTH),
where n of the segment's N interactions were with the item.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ml.inference.eligible_items import EligibleItems
from ml.inference.slates import NO_ITEM, Lists
from ml.models.rank import best

PRIOR_STRENGTH = 100.0
"""Strength of the prior, in interactions."""


def shares(of_segment: npt.NDArray[np.int64], of_all: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """The score of each item: ``[I]``.

    Args:
        of_segment: number of people of the segment who interacted with each item in the last 30 days, ``[I]``.
        of_all: the same for all users, ``[I]``.

    >>> shares(np.array([0, 100]), np.array([3, 1]))
    array([0.375, 0.625], dtype=float32)
    """
    everybody = of_all / max(float(of_all.sum()), 1.0)
    return np.asarray((of_segment + PRIOR_STRENGTH * everybody) / (of_segment.sum() + PRIOR_STRENGTH), dtype=np.float32)


class Popular:
    """The popular items, best first; one list per segment."""

    def __init__(self, offer: EligibleItems, k: int) -> None:
        """
        Args:
            offer: the eligible items of the day.
            k: length of a list.
        """
        self.offer, self.k = offer, k
        self._lists: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]] = {}
        met = int((offer.offered & (offer.titles.recent > 0)).sum())
        self.is_known = met >= min(k, int(offer.offered.sum()))
        """Whether enough items were chosen recently to fill a list; if not, the model ranks for new users too."""

    def of(self, segment: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Items, best first, and their scores: ``[k]`` each."""
        if segment not in self._lists:
            nobody = np.zeros_like(self.offer.titles.recent)
            scores = shares(self.offer.recent_of.get(segment, nobody), self.offer.titles.recent)
            scores = np.where(self.offer.offered, scores, np.float32(-np.inf))
            items = best(scores, self.k)
            self._lists[segment] = np.where(np.isneginf(scores[items]), NO_ITEM, items), scores[items]
        return self._lists[segment]

    def instead(self, found: Lists, segments: Mapping[int, str]) -> None:
        """Replace the lists of some users of a batch, in place.

        Args:
            found: the lists of the batch.
            segments: segment of each user to serve, by row of ``found``.
        """
        if self.is_known:
            for row, segment in segments.items():
                items, scores = self.of(segment)
                places = found.items.shape[1]  # fewer than k if fewer items are eligible
                found.items[row], found.scores[row] = items[:places], scores[:places]
