"""The notes of a cleaning run on its commit: which event dates it touched, and the digest of its content."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

TOUCHED = "event_dates"
"""The note of ``clean`` in its commits: the first and last of each run of dates that it touches."""

CONTENT = "content"
"""The note of ``clean`` in its commits: what the events are, whatever their order."""


def spans(dates: Iterable[date]) -> list[tuple[date, date]]:
    """The first and last date of each run of days: what a history of years touches is said in a few words."""
    found: list[tuple[date, date]] = []
    for d in sorted(set(dates)):
        if found and d - found[-1][1] == timedelta(days=1):
            found[-1] = (found[-1][0], d)
        else:
            found.append((d, d))
    return found


def days_of(found: Iterable[Sequence[str]]) -> list[date]:
    """The dates of spans that were noted as text."""
    ends = [(date.fromisoformat(first), date.fromisoformat(last)) for first, last in found]
    return [first + timedelta(days=i) for first, last in ends for i in range((last - first).days + 1)]
