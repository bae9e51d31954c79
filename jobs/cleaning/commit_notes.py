"""Notes that cleaning leaves on its commit: the event dates it touched, and a digest of its content."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

TOUCHED = "event_dates"
"""Note in the commits of ``clean``: the first and last of each run of dates that it touches."""

CONTENT_DIGEST = "content"
"""Note in the commits of ``clean``: a digest of the events that does not depend on their order."""


def date_ranges(dates: Iterable[date]) -> list[tuple[date, date]]:
    """The first and last date of each run of consecutive days, which keeps the note of a load of years short.

    >>> date_ranges([date(1998, 4, 17), date(1998, 4, 16), date(1998, 4, 20)])
    [(datetime.date(1998, 4, 16), datetime.date(1998, 4, 17)), (datetime.date(1998, 4, 20), datetime.date(1998, 4, 20))]
    """
    found: list[tuple[date, date]] = []
    for d in sorted(set(dates)):
        if found and d - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], d)
        else:
            found.append((d, d))
    return found


def days_of(found: Iterable[Sequence[str]]) -> list[date]:
    """The dates of the spans of a note, in which dates are ISO texts.

    >>> [str(day) for day in days_of([("1998-04-16", "1998-04-17"), ("1998-04-20", "1998-04-20")])]
    ['1998-04-16', '1998-04-17', '1998-04-20']
    """
    ends = [(date.fromisoformat(first), date.fromisoformat(last)) for first, last in found]
    return [first + timedelta(days=i) for first, last in ends for i in range((last - first).days + 1)]
