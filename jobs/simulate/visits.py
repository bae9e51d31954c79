"""When users come, and which items are shown to them.

A user's day has twelve slots of two hours, shifted by the user's own rhythm, and a session begins within the first 25 minutes
of a slot. No request begins after the session's first 50 minutes, and a request takes less than ten. So two sessions of a user
are more than 30 minutes apart. The slots of a day are drawn without replacement, weighted by their hour.
"""

from typing import NamedTuple

import numpy as np

from jobs.simulate.clicks import SLATE, affinity, examination, plackett_luce, policy_scores, relevance
from jobs.simulate.world import COUNTRIES, DEVICES, HOUR, MINUTE, K, People, World

PLACES, PLACE = 12, 2 * HOUR
LATEST_START, LAST_REQUEST, LONGEST_SESSION = 25 * MINUTE, 50 * MINUTE, 62 * MINUTE
MOST_REQUESTS, CANDIDATES = 8, 12
HOUR_WEIGHT = (
    np.exp(-0.5 * ((np.arange(24) - 19 + 12) % 24 - 12) ** 2 / 5**2) + 0.08
)  # activity peaks around seven in the evening
WEEKDAY_WEIGHT = np.array([0.95, 0.92, 0.92, 0.95, 1.0, 1.1, 1.16])  # Monday to Sunday
FRESH_SHARE, POPULARITY_POWER = 0.2, 2.5
SURFACES = ("home", "category", "search")
SURFACE_SHARE = (0.5, 0.2, 0.3)
SEARCHES = 2


class Sessions(NamedTuple):
    """Sessions as columns; ``row`` is the user's index in the people."""

    row: np.ndarray
    start: np.ndarray
    hour: np.ndarray  # local hour of its start
    device: np.ndarray


class Requests(NamedTuple):
    """Requests as columns, in order within each session. ``candidates``, ``allowed`` and ``clickable`` are (R, CANDIDATES);
    ``items``, ``shown``, ``propensity``, ``probability`` and ``affinity`` are (R, SLATE).
    """

    session: np.ndarray
    surface: np.ndarray
    topic: np.ndarray
    candidates: np.ndarray
    allowed: np.ndarray
    clickable: np.ndarray  # the probability of a click if the candidate were at position 1
    items: np.ndarray
    shown: np.ndarray
    propensity: np.ndarray
    probability: np.ndarray  # of a click on the item shown
    affinity: np.ndarray


def plan_sessions(world: World, people: People, day: int, rng: np.random.Generator) -> Sessions:
    """Draw how often each user comes, and the slots of their day: without replacement, weighted by hour (Gumbel trick).

    Args:
        world: the world.
        people: the users of a cell.
        day: number of the day, from 0.
        rng: the only source of randomness.
    """
    n = len(people.number)
    rate = world.sessions_a_day * people.activity * (people.joined <= day) * WEEKDAY_WEIGHT[world.date_of(day).weekday()]
    count = np.minimum(rng.poisson(rate), PLACES)
    offset = np.array([c.offset for c in COUNTRIES])[people.country]
    begins = people.rhythm[:, None] + np.arange(PLACES) * PLACE
    weight = HOUR_WEIGHT[(begins // HOUR + offset[:, None]) % 24]
    liking = np.argsort(-(np.log(weight) + rng.gumbel(size=(n, PLACES))), axis=1, kind="stable")
    chosen = np.zeros((n, PLACES), bool)
    np.put_along_axis(chosen, liking, np.arange(PLACES) < count[:, None], 1)
    row, place = np.nonzero(chosen)
    start = world.midnight(day) + begins[row, place] + rng.integers(0, LATEST_START, len(row))
    device = np.where(rng.random(len(row)) < 0.8, people.device[row], rng.integers(0, len(DEVICES), len(row))).astype(np.int8)
    open_then = (start >= world.opens) & (start <= world.closes - LONGEST_SESSION)
    hour = (start // HOUR + offset[row]) % 24
    return Sessions(row[open_then], start[open_then], hour[open_then], device[open_then])


def plan_requests(world: World, people: People, sessions: Sessions, day: int, rng: np.random.Generator) -> Requests:
    """Draw the requests of each session, the items that the logging policy shows, and the probability of each click.

    Args:
        world: the world.
        people: the users of a cell.
        sessions: their sessions.
        day: number of the day, from 0.
        rng: the only source of randomness.
    """
    session = np.repeat(np.arange(len(sessions.row)), np.minimum(rng.geometric(0.35, len(sessions.row)), MOST_REQUESTS))
    n, row, catalogue = len(session), sessions.row[session], world.catalogue
    interest = people.interest_on(day)[row]
    surface = rng.choice(len(SURFACES), n, p=SURFACE_SHARE).astype(np.int8)
    topic = np.argmax(interest + rng.gumbel(size=(n, K)), axis=1)
    candidates = _candidates(world, day, n, rng)
    of_topic = candidates - candidates % K + topic[:, None]
    candidates = np.where((surface != 0)[:, None] & (of_topic < world.items_on(day)), of_topic, candidates)
    candidates.sort(axis=1)
    allowed = np.diff(candidates, axis=1, prepend=-1) != 0  # a candidate that was drawn twice counts once
    slates = plackett_luce(policy_scores(affinity(people.interest[row], candidates, catalogue)), allowed, rng)
    caring = affinity(interest, candidates, catalogue)
    clickable = relevance(caring, catalogue.quality[candidates], sessions.hour[session], sessions.device[session])
    probability = np.take_along_axis(clickable, slates.chosen, 1) * examination(np.arange(1, SLATE + 1))
    return Requests(
        session, surface, topic, candidates, allowed, clickable,
        np.take_along_axis(candidates, slates.chosen, 1), slates.shown, np.round(slates.propensity, 9), probability,
        np.take_along_axis(caring, slates.chosen, 1),
    )  # fmt: skip


def _candidates(world: World, day: int, requests: int, rng: np.random.Generator) -> np.ndarray:
    """(requests, CANDIDATES): mostly by popularity, a power law of the item's number; some are among the newest items."""
    first, now = world.items_on(0), world.items_on(day)
    newest_from = min(world.items_on(max(day - 7, 0)), now - K)
    chance = rng.random((requests, CANDIDATES))
    popular = (first * chance**POPULARITY_POWER).astype(np.int64)
    fresh = newest_from + (chance * (now - newest_from)).astype(np.int64)
    return np.where(rng.random((requests, CANDIDATES)) < FRESH_SHARE, fresh, popular)
