"""Exploration: the last places of a list are drawn by known probabilities, so that what a click says of them can be weighed.

Each such place has a pool of its own, so that no item can come twice and no draw depends on another: of the items behind the
certain places, in the order of their scores, the first goes to the first place's pool, the second to the second's, and round
again. From a pool of m items the one at position i is drawn with probability (1/i) / (1 + 1/2 + ... + 1/m). Positions and not
scores decide, so that every recipe explores alike and no probability is tiny: what a click is divided by (inverse propensity
scoring, Horvitz and Thompson, 1952) then varies little.

A draw is a function of the seed, the day, the user and the place: it does not depend on who else is there.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ml.inference.slates import NOTHING, Lists


def explored(certain: Lists, rest: Lists, places: int, draws: npt.NDArray[np.float64]) -> Lists:
    """Lists whose last ``places`` places are drawn.

    Args:
        certain: the certain places.
        rest: the items behind them, best first.
        places: how many places are drawn, S; a pool without an item leaves its place empty, always the last ones.
        draws: uniform between 0 and 1, ``[B, S]``.
    """
    items, scores, propensities = [certain.items], [certain.scores], [certain.propensities]
    for place in range(min(places, rest.items.shape[1])):
        pool = slice(place, None, places)
        of_pool = rest.items[:, pool]
        filled = of_pool != NOTHING
        probability = probabilities(filled)
        # The first whose cumulated probability exceeds the draw; rounding may leave the last sum just below 1.
        drawn = np.minimum((probability.cumsum(axis=1) <= draws[:, [place]]).sum(axis=1), np.maximum(filled.sum(axis=1) - 1, 0))
        column = drawn[:, None]
        items.append(np.take_along_axis(of_pool, column, axis=1))
        scores.append(np.take_along_axis(rest.scores[:, pool], column, axis=1))
        propensities.append(np.take_along_axis(probability, column, axis=1))
    return Lists(np.hstack(items), np.hstack(scores), np.hstack(propensities))


def probabilities(filled: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Of each item of a pool, proportional to 1 / position; rows sum to 1 where there is any item: ``[B, M]``.

    Args:
        filled: whether there is an item, ``[B, M]``; those that are come first.

    >>> probabilities(np.array([[True, True, False]]))
    array([[0.66666667, 0.33333333, 0.        ]])
    """
    weights = filled / np.arange(1, filled.shape[1] + 1)
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12), dtype=np.float64)


def draws(users: Sequence[str], places: int, salt: str) -> npt.NDArray[np.float64]:
    """A number between 0 and 1 for each user and place, the same wherever and whenever it is asked for: ``[U, places]``.

    Args:
        users: who.
        places: how many.
        salt: what else the draw follows from, such as seed and day.
    """
    digests = b"".join(
        hashlib.sha256(f"{salt}|{user}|{place}".encode()).digest()[:8] for user in users for place in range(places)
    )
    whole = np.frombuffer(digests, dtype=">u8").reshape(len(users), places)
    return np.asarray((whole >> np.uint64(11)) / 2.0**53, dtype=np.float64)
