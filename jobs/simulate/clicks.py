"""The click model and the logging policy, as formulas that a test can hold the lines against.

**Clicks** follow the position-based model: a person clicks when the position is examined and the item is found relevant, and
the two are independent (the examination hypothesis: Richardson et al., Predicting clicks, WWW 2007; Craswell et al., An
experimental comparison of click position-bias models, WSDM 2008)::

    P(click | user, item, position) = position ** -0.7 * sigmoid(z)
    z = -2.2 + 0.9 affinity(user, item) + quality(item) + hour(local hour in which the session began) + device(device)
    affinity(user, item) = interest[topic] + 0.4 interest[second topic]

**The logging policy** is Plackett-Luce (Plackett, The analysis of permutations, 1975): from the request's candidates it fills
position after position, each time drawing among those that are left in proportion to exp(score). Its score is
``clip(0.6 affinity, -1.5, 1.5)``, with the user's interest of day 0: it does not know of drift, quality, hour or device. The
logged propensity is the probability of that draw: of the item at this position, given the items above it.
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
    """The probability that a position, from 1, is looked at."""
    return positions.astype(float) ** -EXAMINATION_POWER


def affinity(interest_RK: np.ndarray, items_RC: np.ndarray, catalogue: Catalogue) -> np.ndarray:
    """(R, C): how much each user cares for what the items are about."""
    main = np.take_along_axis(interest_RK, catalogue.topic[items_RC].astype(np.int64), 1).astype(float)
    return main + SECOND_TOPIC * np.take_along_axis(interest_RK, catalogue.second[items_RC].astype(np.int64), 1)


def relevance(affinity_RC: np.ndarray, quality_RC: np.ndarray, hours_R: np.ndarray, devices_R: np.ndarray) -> np.ndarray:
    """(R, C): the probability of a click once an item is looked at."""
    moment_R = BIAS + HOUR_EFFECT[hours_R] + DEVICE_EFFECT[devices_R]
    return 1 / (1 + np.exp(-(moment_R[:, None] + INTEREST_GAIN * affinity_RC + quality_RC)))


def policy_scores(affinity_RC: np.ndarray) -> np.ndarray:
    """(R, C): what the logging policy believes, by the affinities of day 0."""
    return np.clip(POLICY_GAIN * affinity_RC, -POLICY_CLIP, POLICY_CLIP)


class Slates(NamedTuple):
    """``chosen`` (R, SLATE): columns of the candidates, in the order shown; ``shown`` is false where there were too few.
    ``propensity`` (R, SLATE): of each draw, given those above it."""

    chosen: np.ndarray
    shown: np.ndarray
    propensity: np.ndarray


def plackett_luce(scores_RC: np.ndarray, allowed_RC: np.ndarray, rng: np.random.Generator) -> Slates:
    """Draw a slate for each request, by the Gumbel trick: the order of score + Gumbel noise is a Plackett-Luce order.

    Args:
        scores_RC: of each candidate.
        allowed_RC: false for columns that are no candidates.
        rng: the only source of chance.
    """
    noisy = np.where(allowed_RC, scores_RC + rng.gumbel(size=scores_RC.shape), -np.inf)
    chosen = np.argsort(-noisy, axis=1, kind="stable")[:, :SLATE]
    weights = np.where(allowed_RC, np.exp(scores_RC), 0.0)
    taken = np.take_along_axis(weights, chosen, 1)
    before = np.cumsum(taken, axis=1) - taken
    left = weights.sum(axis=1, keepdims=True) - before
    shown = np.take_along_axis(allowed_RC, chosen, 1)
    return Slates(chosen, shown, np.where(shown, taken / np.where(shown, left, 1.0), 0.0))
