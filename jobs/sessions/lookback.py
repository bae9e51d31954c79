"""The look-back of sessions: the event dates that the sessions closing on a date depend on, and the reverse.

A chain is cut at every midnight after the first one it crosses. So the sessions that close on a date depend on the events of
that date, of the two days before it, and of one gap before these: an event in that gap makes the chain begin a day earlier.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

LOOK_BACK = timedelta(days=2)
"""Plus one gap."""
DAYS_BACK = LOOK_BACK.days + 1
"""The gap before the look-back is on one more day."""


def event_time_range(dates: Iterable[date], gap: timedelta) -> tuple[datetime, datetime]:
    """The first moment, and the moment after the last, of the events that some closing dates depend on.

    Args:
        dates: the closing dates.
        gap: the session gap.

    >>> start, end = event_time_range([date(1998, 4, 16)], timedelta(minutes=30))
    >>> f"{start:%d %H:%M} to {end:%d %H:%M}"
    '13 23:30 to 17 00:00'
    """
    wanted = sorted(set(dates))
    midnight = datetime.combine(wanted[0], time.min, UTC)
    return midnight - LOOK_BACK - gap, datetime.combine(wanted[-1], time.min, UTC) + timedelta(days=1)


def look_back(dates: Iterable[date]) -> list[date]:
    """The event dates that the sessions closing on some dates depend on.

    >>> [day.day for day in look_back([date(1998, 4, 16)])]
    [13, 14, 15, 16]
    """
    return sorted({d - timedelta(days=back) for d in dates for back in range(DAYS_BACK + 1)})


def look_ahead(event_dates: Iterable[date]) -> list[date]:
    """The closing dates that events of some dates can change: the reverse of :func:`look_back`.

    >>> [day.day for day in look_ahead([date(1998, 4, 13)])]
    [13, 14, 15, 16]
    """
    return sorted({d + timedelta(days=ahead) for d in event_dates for ahead in range(DAYS_BACK + 1)})
