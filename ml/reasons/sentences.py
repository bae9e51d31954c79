"""Sentences that explain recommendations, with facts from the data and the model only.

A reason names the closest item of the user's own history, with the user's action, and the categories that both share. If
nothing in the history supports the item, the reason gives the number of people who chose it recently. A reason's kind and
the item that it names have their own columns, so no code has to parse the sentence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from ml.models.base import Recommender
from ml.text.titles import spoken_title

RECENT_DAYS = 30
POPULAR_SHARE = 0.1
# A rating below this share of the highest rating in the data does not support similar items.
GOOD_RATING = 0.7
DEEDS = {
    "rating": "rated",
    "purchase": "bought",
    "cart": "put into the cart",
    "like": "liked",
    "click": "clicked on",
    "view": "looked at",
}
_spoken = lru_cache(maxsize=1 << 17)(spoken_title)
"""Cached, since few titles recur in many reasons."""


class ReasonKind(StrEnum):
    """Why an item is recommended; the contract of ``recommendations`` explains each."""

    SIMILAR_ITEM = "similar_item"
    SHARED_CATEGORIES = "shared_categories"
    POPULAR = "popular"
    RECENT = "recent"
    MODEL = "model"


@dataclass(frozen=True)
class Reason:
    """A sentence for the user, its kind, and the index of the item of the user's history that it names."""

    kind: ReasonKind
    sentence: str
    item: int | None = None


@dataclass(frozen=True)
class Titles:
    """Titles and categories by item index, and how many people interacted with each item in the last 30 days."""

    titles: Sequence[str]
    categories: Sequence[Sequence[str]]
    recent: npt.NDArray[np.int64]

    @cached_property
    def popular_from(self) -> float:
        """Number of recent people that makes an item popular: the top tenth of the items with any have at least as many.

        >>> Titles(["a", "b"], [[], []], np.array([0, 4])).popular_from
        4.0
        """
        met = self.recent[self.recent > 0]
        return float(np.quantile(met, 1 - POPULAR_SHARE)) if len(met) else np.inf


@dataclass(frozen=True)
class History:
    """A user's events, oldest first: item index, event type, and value (NaN if there is none)."""

    items: npt.NDArray[np.int32]
    event_types: Sequence[str]
    values: npt.NDArray[np.float64]

    def positive_events(self, titles: Titles, highest: float) -> npt.NDArray[np.int64]:
        """Positions of the events that support similar items: each item's newest, without items whose last rating is low.

        Args:
            titles: of all items.
            highest: the highest rating that any user gave.
        """
        newest: dict[int, int] = {}
        rated: dict[int, float] = {}
        for position, (item, done, value) in enumerate(zip(self.items.tolist(), self.event_types, self.values, strict=True)):
            if done in DEEDS and titles.titles[item]:
                newest[item] = position
            if done == "rating":
                rated[item] = value
        bad = {item for item, value in rated.items() if value < GOOD_RATING * highest}
        return np.array(sorted(position for item, position in newest.items() if item not in bad), dtype=np.int64)


def words(names: Sequence[str]) -> str:
    """Names as a phrase: 'a', 'a and b', 'a, b and c'.

    >>> words(["Crime", "Drama", "War"])
    'Crime, Drama and War'
    """
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def deed(history: History, position: int, title: str, highest: float) -> str:
    """An event as the beginning of a sentence.

    Args:
        history: of the user.
        position: of the event in the history.
        title: of the event's item.
        highest: the highest rating that any user gave.

    >>> deed(History(np.array([0]), ["rating"], np.array([4.5])), 0, "Alien (1979)", 5.0)
    'You rated “Alien” 4.5 out of 5'
    """
    done, value = history.event_types[position], history.values[position]
    named = _spoken(title).replace("”", "'")
    said = f"You {DEEDS[done]} “{named}”"
    if done != "rating" or np.isnan(value):
        return said
    return f"{said} {value:g} out of {highest:g}"


def reasons(items: Sequence[int], history: History, titles: Titles, model: Recommender, highest: float) -> list[Reason]:
    """A reason for each recommended item.

    Args:
        items: indices of the recommended items.
        history: of the user.
        titles: of all items.
        model: finds the most similar items of the history.
        highest: the highest rating that any user gave.
    """
    positive_events = history.positive_events(titles, highest)
    if not len(positive_events) or not len(items):
        return [_from_everybody(item, history, titles) for item in items]
    nearness = model.similar_to(items, history.items[positive_events])
    # On a tie the higher value wins, then the newer event.
    valued = np.nan_to_num(history.values[positive_events], nan=0.0)
    nearest = [int(np.lexsort((positive_events, valued, near))[-1]) for near in nearness]
    return [
        _from_history(item, history, int(positive_events[place]), bool(near[place] > 0), titles, highest)
        or _from_everybody(item, history, titles)
        for item, near, place in zip(items, nearness, nearest, strict=True)
    ]


def _from_history(item: int, history: History, position: int, is_near: bool, titles: Titles, highest: float) -> Reason | None:
    near = int(history.items[position])
    shared = [name for name in titles.categories[item] if name in titles.categories[near]]
    done = deed(history, position, titles.titles[near], highest)
    if is_near:
        both = f"; both are {words(shared)}" if shared else ""
        closest = "it is the closest match to this title among the titles you liked or chose"
        return Reason(ReasonKind.SIMILAR_ITEM, f"{done}; {closest}{both}.", near)
    return Reason(ReasonKind.SHARED_CATEGORIES, f"{done}: both are {words(shared)}.", near) if shared else None


def _from_everybody(item: int, history: History, titles: Titles) -> Reason:
    recent = int(titles.recent[item])
    if recent and recent >= titles.popular_from:
        return Reason(ReasonKind.POPULAR, f"Popular: {count(recent)} chose this in the last {RECENT_DAYS} days.")
    if recent:
        return Reason(ReasonKind.RECENT, f"{count(recent).capitalize()} chose this in the last {RECENT_DAYS} days.")
    if len(history.items):
        return Reason(ReasonKind.MODEL, "Our model chose this from your activity.")
    return Reason(ReasonKind.MODEL, "A popular first choice.")


def count(people: int) -> str:
    """A number of people in words.

    >>> count(1), count(12)
    ('one person', '12 people')
    """
    return "one person" if people == 1 else f"{people} people"
