"""Users of whom nothing is known that the model could go by: they get what people of their segment met most of late.

A segment of few people says little, so its shares are mixed with everybody's, as if ``EVERYBODY`` more meetings had been made
like theirs:  score = (n + EVERYBODY * share of everybody's) / (N + EVERYBODY), where n of the segment's N meetings were with
the item.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ml.inference.eligible_items import Offer
from ml.inference.slates import NOTHING, Lists
from ml.models.rank import best

EVERYBODY = 100.0


def shares(of_segment: npt.NDArray[np.int64], of_all: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """The score of each item: ``[I]``.

    Args:
        of_segment: how many people of the segment met each item of late, ``[I]``.
        of_all: how many of all.
    """
    everybody = of_all / max(float(of_all.sum()), 1.0)
    return np.asarray((of_segment + EVERYBODY * everybody) / (of_segment.sum() + EVERYBODY), dtype=np.float32)


class Popular:
    """What new users get, by segment; the same for all of one segment."""

    def __init__(self, offer: Offer, k: int) -> None:
        """
        Args:
            offer: of the day.
            k: how many items a list has.
        """
        self.offer, self.k = offer, k
        self._lists: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]] = {}
        met = int((offer.offered & (offer.titles.recent > 0)).sum())
        self.is_known = met >= min(k, int(offer.offered.sum()))
        """Whether enough items were met of late; if not, the model knows better."""

    def of(self, segment: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Items, best first, and their scores: ``[k]`` each."""
        if segment not in self._lists:
            nobody = np.zeros_like(self.offer.titles.recent)
            scores = shares(self.offer.recent_of.get(segment, nobody), self.offer.titles.recent)
            scores = np.where(self.offer.offered, scores, np.float32(-np.inf))
            items = best(scores, self.k)
            self._lists[segment] = np.where(np.isneginf(scores[items]), NOTHING, items), scores[items]
        return self._lists[segment]

    def instead(self, found: Lists, segments: Mapping[int, str]) -> None:
        """Give some users of a batch, by row and segment, these lists in place of what was found."""
        if self.is_known:
            for row, segment in segments.items():
                items, scores = self.of(segment)
                places = found.items.shape[1]  # fewer than k where fewer items are offered
                found.items[row], found.scores[row] = items[:places], scores[:places]
