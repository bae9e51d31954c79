"""Exploration: the last places of a list are drawn with known probabilities, so that clicks on them can be weighted.

Each such place has its own pool, so that no item appears twice and no draw depends on another. The items below the fixed places
are dealt to the pools in turn, in the order of their scores. From a pool of m items the item at position i is drawn with
probability (1/i) / (1 + 1/2 + ... + 1/m). The probabilities depend on positions rather than scores, so that every recipe
explores alike and no probability is tiny. That keeps the variance of inverse propensity weights low (Horvitz and Thompson,
1952).

A draw is a function of the seed, the day, the user and the place; it does not depend on the other users.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ml.inference.slates import NO_ITEM, Lists


def explored(certain: Lists, rest: Lists, places: int, draws: npt.NDArray[np.float64]) -> Lists:
    """Lists whose last ``places`` places are drawn.

    Args:
        certain: the fixed places.
        rest: the candidates below them, best first.
        places: number of drawn places, S; a place with an empty pool stays empty, and such places come last.
        draws: uniform in [0, 1), ``[B, S]``.
    """
    items, scores, propensities = [certain.items], [certain.scores], [certain.propensities]
    for place in range(min(places, rest.items.shape[1])):
        pool = slice(place, None, places)
        of_pool = rest.items[:, pool]
        filled = of_pool != NO_ITEM
        probability = probabilities(filled)
        # The first item whose cumulative probability exceeds the draw; rounding may leave the last sum just below 1.
        drawn = np.minimum((probability.cumsum(axis=1) <= draws[:, [place]]).sum(axis=1), np.maximum(filled.sum(axis=1) - 1, 0))
        column = drawn[:, None]
        items.append(np.take_along_axis(of_pool, column, axis=1))
        scores.append(np.take_along_axis(rest.scores[:, pool], column, axis=1))
        propensities.append(np.take_along_axis(probability, column, axis=1))
    return Lists(np.hstack(items), np.hstack(scores), np.hstack(propensities))


def probabilities(filled: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The probability of each item of a pool, proportional to 1 / position: ``[B, M]``; a pool with items sums to 1.

    Args:
        filled: whether a position holds an item, ``[B, M]``; items come first.

    >>> probabilities(np.array([[True, True, False]]))
    array([[0.66666667, 0.33333333, 0.        ]])
    """
    weights = filled / np.arange(1, filled.shape[1] + 1)
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12), dtype=np.float64)


def draws(users: Sequence[str], places: int, salt: str) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each user and place, the same in every process and batch: ``[U, places]``.

    Args:
        users: ids.
        places: numbers per user.
        salt: the other inputs of a draw, such as seed and day.

    >>> draws(["ann", "bob"], 2, "7")[1].tolist() == draws(["bob"], 2, "7")[0].tolist()
    True
    """
    digests = b"".join(
        hashlib.sha256(f"{salt}|{user}|{place}".encode()).digest()[:8] for user in users for place in range(places)
    )
    whole = np.frombuffer(digests, dtype=">u8").reshape(len(users), places)
    return np.asarray((whole >> np.uint64(11)) / 2.0**53, dtype=np.float64)
