"""The click model and the logging policy, as formulas that tests check the lines against.

**Clicks** follow the position-based model: a user clicks if the position is examined and the item is relevant, and the two are
independent (the examination hypothesis: Richardson et al., Predicting clicks, WWW 2007; Craswell et al., An experimental
comparison of click position-bias models, WSDM 2008)::

    P(click | user, item, position) = position ** -0.7 * sigmoid(z)
    z = -2.2 + 0.9 affinity(user, item) + quality(item) + hour(local hour in which the session began) + device(device)
    affinity(user, item) = interest[topic] + 0.4 interest[second topic]

**The logging policy** is Plackett-Luce (Plackett, The analysis of permutations, 1975): it fills one position after the other
from the request's candidates, and draws each time among the remaining ones in proportion to exp(score). Its score is
``clip(0.6 affinity, -1.5, 1.5)``, with the user's interest of day 0: it ignores drift, quality, hour and device. The logged
propensity is the probability of that draw: of the item at this position, given the items above it.
"""

from typing import NamedTuple

import numpy as np

from jobs.simulate.world import SECOND_TOPIC, Catalogue

SLATE = 6  # positions of a request
EXAMINATION_POWER = 0.7
BIAS, INTEREST_GAIN = -2.2, 0.9
HOUR_EFFECT = np.round(0.3 * np.cos((np.arange(24) - 21) * 2 * np.pi / 24), 4)  # people click most at nine in the evening
DEVICE_EFFECT = np.array([0.0, 0.15, -0.1])  # phone, desktop, tablet
POLICY_GAIN, POLICY_CLIP = 0.6, 1.5


def examination(positions: np.ndarray) -> np.ndarray:
    """The probability that a position, from 1, is examined.

    >>> examination(np.array([1, 2, 6])).round(2).tolist()
    [1.0, 0.62, 0.29]
    """
    return positions.astype(float) ** -EXAMINATION_POWER


def affinity(interest_RK: np.ndarray, items_RC: np.ndarray, catalogue: Catalogue) -> np.ndarray:
    """(R, C): how much the user of each request likes the topics of each candidate.

    Args:
        interest_RK: the user's weight for each topic.
        items_RC: numbers of the candidate items.
        catalogue: the items' topics.
    """
    main = np.take_along_axis(interest_RK, catalogue.topic[items_RC].astype(np.int64), 1).astype(float)
    return main + SECOND_TOPIC * np.take_along_axis(interest_RK, catalogue.second[items_RC].astype(np.int64), 1)


def relevance(affinity_RC: np.ndarray, quality_RC: np.ndarray, hours_R: np.ndarray, devices_R: np.ndarray) -> np.ndarray:
    """(R, C): the probability of a click on an item once it is examined.

    Args:
        affinity_RC: see :func:`affinity`.
        quality_RC: hidden quality of each candidate.
        hours_R: local hour in which the session began, 0 to 23.
        devices_R: index of the device.

    >>> relevance(np.array([[0.0, 1.0]]), np.zeros((1, 2)), np.array([21]), np.array([0])).round(2).tolist()
    [[0.13, 0.27]]
    """
    moment_R = BIAS + HOUR_EFFECT[hours_R] + DEVICE_EFFECT[devices_R]
    return 1 / (1 + np.exp(-(moment_R[:, None] + INTEREST_GAIN * affinity_RC + quality_RC)))


def policy_scores(affinity_RC: np.ndarray) -> np.ndarray:
    """(R, C): the scores of the logging policy, from the affinities of day 0."""
    return np.clip(POLICY_GAIN * affinity_RC, -POLICY_CLIP, POLICY_CLIP)


class Slates(NamedTuple):
    """``chosen`` (R, SLATE): columns of the candidates, in the order shown. ``shown`` is false where candidates were too few.
    ``propensity`` (R, SLATE): probability of each draw, given those above it.
    """

    chosen: np.ndarray
    shown: np.ndarray
    propensity: np.ndarray


def plackett_luce(scores_RC: np.ndarray, allowed_RC: np.ndarray, rng: np.random.Generator) -> Slates:
    """Draw a slate for each request with the Gumbel trick: sorting by score + Gumbel noise gives a Plackett-Luce order.

    Args:
        scores_RC: score of each candidate.
        allowed_RC: false for columns that are not candidates.
        rng: the only source of randomness.
    """
    noisy = np.where(allowed_RC, scores_RC + rng.gumbel(size=scores_RC.shape), -np.inf)
    chosen = np.argsort(-noisy, axis=1, kind="stable")[:, :SLATE]
    weights = np.where(allowed_RC, np.exp(scores_RC), 0.0)
    taken = np.take_along_axis(weights, chosen, 1)
    before = np.cumsum(taken, axis=1) - taken
    left = weights.sum(axis=1, keepdims=True) - before
    shown = np.take_along_axis(allowed_RC, chosen, 1)
    return Slates(chosen, shown, np.where(shown, taken / np.where(shown, left, 1.0), 0.0))
