"""How far sessions reach: which days the sessions that close on a date follow from, and the other way round.

A chain is cut at every midnight after the first that it crosses. So what closes on a date follows from the events of the two
days before it and of its own day, and of one gap before these: an event there makes the chain begin a day earlier.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

LOOK_BACK = timedelta(days=2)
"""Besides one gap."""
DAYS_BACK = LOOK_BACK.days + 1
"""The gap before the look-back lies on the day before it."""


def reach(dates: Iterable[date], gap: timedelta) -> tuple[datetime, datetime]:
    """The times from which and before which events count for some closing dates."""
    wanted = sorted(set(dates))
    midnight = datetime.combine(wanted[0], time.min, UTC)
    return midnight - LOOK_BACK - gap, datetime.combine(wanted[-1], time.min, UTC) + timedelta(days=1)


def look_back(dates: Iterable[date]) -> list[date]:
    """The event dates that the sessions closing on some dates can follow from."""
    return sorted({d - timedelta(days=back) for d in dates for back in range(DAYS_BACK + 1)})


def look_ahead(event_dates: Iterable[date]) -> list[date]:
    """The closing dates that events of some dates can change: the other way round."""
    return sorted({d + timedelta(days=ahead) for d in event_dates for ahead in range(DAYS_BACK + 1)})
