"""The simulated world: its size, its calendar, its users and its catalogue; and its random streams.

There is one Philox stream for each purpose, day and *cell*, a group of 2,048 users (Salmon et al., Parallel random numbers: as
easy as 1, 2, 3, SC 2011). So the behaviour of a user on a day depends only on the seed, the day and the user, and not on the
number of tasks, their order, or other parts of the world.
"""

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from jobs.simulate.vocabulary import BRANDS, TOPICS
from schemas.runtime.errors import ConfigError

K = len(TOPICS)
CELL = 2048
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000  # milliseconds
EVENTS_A_SESSION = 22.7  # on average; a test checks it
MOST_SESSIONS_A_DAY = 4.0
EARLIEST, LATEST = date(1990, 1, 2), date(2100, 1, 1)  # the contract rejects events before 1990
FIRST_DAY_USERS, FIRST_DAY_ITEMS = 0.7, 0.8
AD_EVERY = 10  # every tenth item of a topic is an ad
DRIFT = 0.04  # radians a day, at most
ACTIVITY_SPREAD = 0.8
SECOND_TOPIC = 0.4
QUALITY_SPREAD = 0.5
SEQUENCE_BITS, USER_BITS = 20, 31
TWIN = 1 << (SEQUENCE_BITS - 1)  # marks the number of an invented twin of a genuine event


class Purpose(IntEnum):
    """The purpose of a random stream."""

    PEOPLE = 1
    ITEMS = 2
    BEHAVIOUR = 3
    DIRT = 4
    MACHINES = 5
    CHOICES = 6


class Country(NamedTuple):
    code: str
    offset: int  # hours from UTC
    share: float


COUNTRIES = (
    Country("PT", 0, 0.15), Country("GB", 0, 0.15), Country("DE", 1, 0.2), Country("FR", 1, 0.15),
    Country("PL", 1, 0.1), Country("US", -5, 0.1), Country("BR", -3, 0.1), Country("JP", 9, 0.05),
)  # fmt: skip
DEVICES = ("phone", "desktop", "tablet")
DEVICE_SHARE = (0.6, 0.3, 0.1)


@dataclass(frozen=True)
class World:
    """The arguments that determine every byte.

    ``dirt`` and ``late`` are shares of the genuine lines. ``runaway`` is the number of events of the one runaway user, or 0.
    Without ``interests`` no user prefers any topic. A day is a number from 0, and a moment is milliseconds since 1970, UTC.

    >>> world = World(seed=1, events=50_000, users=5_000, items=500, first_day=date(2026, 1, 5), days=7)
    >>> world.cells, world.items_on(0), world.items_on(6), str(world.date_of(6))
    (3, 400, 500, '2026-01-11')
    """

    seed: int
    events: int
    users: int
    items: int
    first_day: date
    days: int
    dirt: float = 0.0
    late: float = 0.0
    runaway: int = 0
    interests: bool = True

    def __post_init__(self) -> None:
        demands = {
            "--seed must be 0 or more": self.seed >= 0,
            "--events must be 1 or more": self.events >= 1,
            f"--users must be 1 to {2**USER_BITS // 2}": 1 <= self.users <= 2**USER_BITS // 2,
            "--items must be 200 to 99999999": 200 <= self.items <= 99_999_999,
            f"--first-day must be {EARLIEST} to {LATEST}": EARLIEST <= self.first_day <= LATEST,
            "--days must be 1 to 3650": 1 <= self.days <= 3650,
            "--dirt must be 0 to 0.5": 0 <= self.dirt <= 0.5,
            "--late must be 0 to 0.5": 0 <= self.late <= 0.5,
            f"--runaway must be 0 to {TWIN - 1}": 0 <= self.runaway < TWIN,
        }
        if broken := [demand for demand, holds in demands.items() if not holds]:
            raise ConfigError(f"{'; '.join(broken)}; in the arguments of jobs.simulate; correct them")
        if self.sessions_a_day > MOST_SESSIONS_A_DAY:
            enough = round(self.users * self.sessions_a_day / MOST_SESSIONS_A_DAY) + 1
            raise ConfigError(
                f"{self.events} events are too many for {self.users} users in {self.days} days; in the arguments "
                f"of jobs.simulate; raise --users to {enough}, or --days"
            )

    @property
    def arguments(self) -> dict[str, Any]:
        return {**asdict(self), "first_day": self.first_day.isoformat()}

    @property
    def cells(self) -> int:
        return -(-self.users // CELL)

    @property
    def sessions_a_day(self) -> float:
        """Mean number of sessions of a user in a day, chosen to reach about the requested number of events."""
        newcomers = 1 - FIRST_DAY_USERS
        user_days = self.users * (self.days - newcomers * (self.days - 1) / 2)
        return self.events / EVENTS_A_SESSION / user_days

    def date_of(self, day: int) -> date:
        return self.first_day + timedelta(days=day)

    def midnight(self, day: int) -> int:
        """The moment at which a day begins."""
        return (self.date_of(day) - date(1970, 1, 1)).days * DAY

    @property
    def opens(self) -> int:
        """The world opens an hour after midnight, at the start of its first arrival day, and closes with its last."""
        return self.midnight(0) + HOUR

    @property
    def closes(self) -> int:
        return self.midnight(self.days) + HOUR

    def rng(self, purpose: Purpose, *where: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, purpose, *where))))

    def event_ids(self, day: int, users: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Unique ids that reveal nothing: a bijection of (day, user, number in the user's day) to 64 bits.

        The mixing is that of SplitMix64 (Steele et al., Fast splittable pseudorandom number generators, OOPSLA 2014).

        Args:
            day: number of the day, from 0.
            users: (n,), numbers of the users.
            numbers: (n,), position of the event in the user's day.
        """
        x = (np.uint64(day) << np.uint64(USER_BITS + SEQUENCE_BITS)) | (users.astype(np.uint64) << np.uint64(SEQUENCE_BITS))
        x = (x | numbers.astype(np.uint64)) ^ np.uint64((self.seed * 0x9E3779B97F4A7C15) % 2**64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))

    def items_on(self, day: int) -> int:
        """How many items exist on a day; new ones are added every day."""
        if self.days == 1:
            return self.items
        at_first = round(self.items * FIRST_DAY_ITEMS)
        return at_first + (self.items - at_first) * day // (self.days - 1)

    def people(self, cell: int) -> "People":
        """The users of a cell."""
        numbers = np.arange(cell * CELL, min((cell + 1) * CELL, self.users))
        rng, n = self.rng(Purpose.PEOPLE, cell), CELL  # always a whole cell, so that a larger world has the same users
        joined = np.where(rng.random(n) < FIRST_DAY_USERS, 0, rng.integers(0, self.days, n))
        drawn = People(
            number=np.arange(cell * CELL, (cell + 1) * CELL),
            interest=rng.standard_normal((n, K), np.float32) * self.interests,
            towards=rng.standard_normal((n, K), np.float32) * self.interests,
            drift=rng.uniform(0, DRIFT, n),
            activity=rng.lognormal(-(ACTIVITY_SPREAD**2) / 2, ACTIVITY_SPREAD, n),
            joined=joined,
            country=rng.choice(len(COUNTRIES), n, p=[c.share for c in COUNTRIES]).astype(np.int8),
            device=rng.choice(len(DEVICES), n, p=DEVICE_SHARE).astype(np.int8),
            rhythm=rng.integers(0, 2 * HOUR, n),
        )
        return People(*(column[: len(numbers)] for column in drawn))

    @property
    def catalogue(self) -> "Catalogue":
        """All items of the world, including those of later days."""
        return _catalogue(self)


class People(NamedTuple):
    """Users as columns. Shapes: ``interest`` and ``towards`` (n, K), the others (n,)."""

    number: np.ndarray
    interest: np.ndarray  # on day 0, one weight for each topic
    towards: np.ndarray  # where the interest drifts
    drift: np.ndarray  # radians a day
    activity: np.ndarray  # factor on the mean number of sessions
    joined: np.ndarray  # day
    country: np.ndarray
    device: np.ndarray  # the one used most
    rhythm: np.ndarray  # milliseconds by which the user's day is shifted

    def interest_on(self, day: int) -> np.ndarray:
        """(n, K): cos(drift day) interest + sin(drift day) towards, a walk on a circle that keeps the spread."""
        angle = (self.drift * day)[:, None].astype(np.float32)
        return np.cos(angle) * self.interest + np.sin(angle) * self.towards


class Catalogue(NamedTuple):
    """Items as columns; item i has topic i mod K."""

    topic: np.ndarray
    second: np.ndarray  # a second, weaker topic
    quality: np.ndarray  # hidden: in no line
    price: np.ndarray
    brand: np.ndarray
    wording: np.ndarray
    is_ad: np.ndarray


@lru_cache(2)  # not cached in the world itself, which is sent to every task
def _catalogue(world: World) -> Catalogue:
    rng, n = world.rng(Purpose.ITEMS), world.items
    topic = (np.arange(n) % K).astype(np.int8)
    typical = np.array([t.price for t in TOPICS])[topic]
    return Catalogue(
        topic=topic,
        second=((topic + rng.integers(1, K, n)) % K).astype(np.int8),
        quality=(QUALITY_SPREAD * rng.standard_normal(n)).astype(np.float32),
        price=np.maximum(np.round(typical * rng.lognormal(0, 0.5, n), 2), 0.99),
        brand=rng.integers(0, len(BRANDS), n).astype(np.int16),
        wording=rng.integers(0, 2**62, n),
        is_ad=(np.arange(n) // K) % AD_EVERY == AD_EVERY - 1,
    )
