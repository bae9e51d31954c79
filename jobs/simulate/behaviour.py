"""A day of a cell of users: turns each visit of ``visits`` into events in order of time.

A request is a search or a page view, six impressions at the same moment, and the events that follow from the clicks on them.
Within a session no pause is longer than 30 minutes, and some are exactly that long: the planted sessions are those that the
rule of the 30-minute gap must find.
"""

from dataclasses import dataclass, fields
from datetime import date
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from jobs.simulate.clicks import SLATE
from jobs.simulate.visits import LAST_REQUEST, SEARCHES, Requests, Sessions, plan_requests, plan_sessions
from jobs.simulate.vocabulary import BLAME, FIRST_BLAME, FIRST_PRAISE, PRAISE, QUERIES_A_TOPIC
from jobs.simulate.world import MINUTE, SECOND, Catalogue, People, Purpose, World

LONG_PAUSES, EXACT_PAUSES = 0.03, 0.004  # shares of the pauses between requests
BILLION = 10**9


class Kind(IntEnum):
    """Event types. Their names, in lower case, are the words of the lines."""

    SEARCH = 0
    IMPRESSION = 1
    CLICK = 2
    VIEW = 3
    CART = 4
    PURCHASE = 5
    LIKE = 6
    COMMENT = 7


FOLLOWING = (Kind.CLICK, Kind.VIEW, Kind.CART, Kind.PURCHASE, Kind.LIKE, Kind.COMMENT)
# A request as a row: one search, six impressions, and the events that can follow each of them.
ROW_KIND = np.array([Kind.SEARCH, *[Kind.IMPRESSION] * SLATE, *FOLLOWING * SLATE], np.int8)
ROW_POSITION = np.array([0, *range(1, SLATE + 1), *np.repeat(range(1, SLATE + 1), len(FOLLOWING))], np.int8)
FIRST_FOLLOWING = 1 + SLATE
# Milliseconds after the previous event: minimum and maximum.
SHORTEST = np.array([0, 0, 1500, 0, 5000, 8000, 1000, 4000])
LONGEST = np.array([0, 0, 10_000, 900, 20_000, 30_000, 10_000, 20_000])
LIKES, COMMENTS = 0.08, 0.03  # of views; a purchase follows half of the carts


@dataclass
class Events:
    """Events as columns, sorted by user and time; -1, 0 or NaN if a column does not apply."""

    event_id: np.ndarray  # uint64
    user: np.ndarray
    number: np.ndarray  # position in the user's day
    session: np.ndarray  # index into the sessions
    time: np.ndarray
    kind: np.ndarray
    item: np.ndarray
    position: np.ndarray
    value: np.ndarray
    propensity: np.ndarray
    text: np.ndarray  # index into vocabulary.TEXTS
    surface: np.ndarray
    device: np.ndarray
    country: np.ndarray
    click_probability: np.ndarray

    def __len__(self) -> int:
        return len(self.time)

    def take(self, where: np.ndarray) -> "Events":
        return Events(*(getattr(self, f.name)[where] for f in fields(self)))

    @staticmethod
    def join(parts: "list[Events]") -> "Events":
        return Events(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Events)))


class CellDay(NamedTuple):
    """A simulated day of a cell. ``kept`` marks the requests that were made: none after the end of a session."""

    date: date  # the day whose interests apply; a session after midnight may belong to the day before
    people: People
    sessions: Sessions
    requests: Requests
    kept: np.ndarray
    events: Events

    @property
    def policy_values(self) -> dict[str, int]:
        """Expected clicks at position 1, for the logging policy and for a uniform policy.

        They are integers in billionths, so that sums over cells do not depend on their order.
        """
        clickable, allowed = self.requests.clickable[self.kept], self.requests.allowed[self.kept]
        alike = (clickable * allowed).sum(1) / allowed.sum(1)
        logged = self.requests.probability[self.kept, 0]
        return {
            "requests": int(self.kept.sum()),
            "logged_billionths": int(np.round(logged * BILLION).astype(np.int64).sum()),
            "uniform_billionths": int(np.round(alike * BILLION).astype(np.int64).sum()),
        }


def cell_day(world: World, day: int, cell: int) -> CellDay:
    """Simulate a day of a cell.

    Args:
        world: the world.
        day: number of the day, from 0.
        cell: number of the cell, from 0.
    """
    rng = world.rng(Purpose.BEHAVIOUR, day, cell)
    people = world.people(cell)
    sessions = plan_sessions(world, people, day, rng)
    requests = plan_requests(world, people, sessions, day, rng)
    events, kept = _events(world, people, sessions, requests, day, rng)
    return CellDay(world.date_of(day), people, sessions, requests, kept, events)


def _follow_ups(requests: Requests, catalogue: Catalogue, rng: np.random.Generator) -> np.ndarray:
    """(R, SLATE, 6): whether each impression led to a click, view, cart, purchase, like and comment."""
    done = np.zeros((*requests.items.shape, len(FOLLOWING)), bool)
    clicked = requests.shown & (rng.random(requests.items.shape) < requests.probability)
    r, p = np.nonzero(clicked)
    chance = rng.random((4, len(r)))
    wish = 1 / (1 + np.exp(1.2 - catalogue.quality[requests.items[r, p]] - 0.5 * requests.affinity[r, p]))
    cart = chance[0] < wish
    done[r, p] = np.stack(
        [clicked[r, p], clicked[r, p], cart, cart & (chance[1] < 0.5), chance[2] < LIKES, chance[3] < COMMENTS], axis=1
    )
    return done


def _pauses(requests: int, rng: np.random.Generator) -> np.ndarray:
    """Milliseconds before each request: mostly below a minute or two, sometimes long, sometimes exactly the session gap."""
    usual = (5 * SECOND + np.minimum(20 * SECOND * rng.lognormal(0, 1, requests), 5 * MINUTE)).astype(np.int64)
    kind, long = rng.random(requests), rng.integers(10 * MINUTE, 29 * MINUTE, requests)
    pauses = np.where(kind < LONG_PAUSES, long, usual)
    return np.where(kind > 1 - EXACT_PAUSES, 30 * MINUTE, pauses)


def _events(
    world: World, people: People, sessions: Sessions, requests: Requests, day: int, rng: np.random.Generator
) -> tuple[Events, np.ndarray]:
    """The requests as events in order of time, and which requests were made."""
    n, catalogue = len(requests.session), world.catalogue
    done = np.empty((n, len(ROW_KIND)), bool)
    done[:, 0] = requests.surface == SEARCHES
    done[:, 1:FIRST_FOLLOWING] = requests.shown
    done[:, FIRST_FOLLOWING:] = _follow_ups(requests, catalogue, rng).reshape(n, len(FOLLOWING) * SLATE)
    request, column = np.nonzero(done)
    kind, position, session = ROW_KIND[column], ROW_POSITION[column], requests.session[request]

    gap = (SHORTEST[kind] + rng.random(len(kind)) * (LONGEST - SHORTEST)[kind]).astype(np.int64)
    opens_request = np.diff(request, prepend=-1) != 0
    first_of_request = np.flatnonzero(opens_request)
    pauses = _pauses(n, rng)
    pauses[np.diff(requests.session, prepend=-1) != 0] = 0  # a session begins with its first request
    gap[first_of_request] = pauses
    answers_search = (column == 1) & (requests.surface[request] == SEARCHES)
    gap[answers_search] = 200 + gap[answers_search] + rng.integers(0, 1300, answers_search.sum())

    passed = np.cumsum(gap)
    first_of_session = np.flatnonzero(np.diff(session, prepend=-1) != 0)
    offset = passed - passed[first_of_session][session]
    kept = offset[first_of_request] <= LAST_REQUEST
    # Once a request of a session is too late, so are all later ones: offsets only grow.
    here = kept[request]
    request, kind, position, session, offset = request[here], kind[here], position[here], session[here], offset[here]

    place = np.maximum(position - 1, 0)
    item = np.where(kind == Kind.SEARCH, -1, requests.items[request, place])
    impression, paid = kind == Kind.IMPRESSION, (kind == Kind.CART) | (kind == Kind.PURCHASE)
    row = sessions.row[session]
    user = people.number[row]
    number = np.arange(len(row)) - np.searchsorted(row, row)  # rows are sorted: position in the user's day
    return Events(
        event_id=world.event_ids(day, user, number),
        user=user,
        number=number,
        session=session,
        time=sessions.start[session] + offset,
        kind=kind,
        item=item,
        position=np.where(kind <= Kind.CLICK, position, 0).astype(np.int8),
        value=np.where(paid, catalogue.price[item], np.nan),
        propensity=np.where(impression, requests.propensity[request, place], np.nan),
        text=_texts(kind, requests.topic[request], catalogue.quality[item], rng),
        surface=requests.surface[request],
        device=sessions.device[session],
        country=people.country[row],
        click_probability=np.where(impression, requests.probability[request, place], np.nan),
    ), kept


def _texts(kind: np.ndarray, topic: np.ndarray, quality: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The typed text: a query of the topic, or a comment, which is the more positive the better the item."""
    text = np.full(len(kind), -1, np.int32)
    searches, comments = np.flatnonzero(kind == Kind.SEARCH), np.flatnonzero(kind == Kind.COMMENT)
    text[searches] = topic[searches] * QUERIES_A_TOPIC + rng.integers(0, QUERIES_A_TOPIC, len(searches))
    kind_words = rng.random(len(comments)) < 1 / (1 + np.exp(-3 * quality[comments]))
    praise, blame = rng.integers(0, len(PRAISE), len(comments)), rng.integers(0, len(BLAME), len(comments))
    text[comments] = np.where(kind_words, FIRST_PRAISE + praise, FIRST_BLAME + blame)
    return text
