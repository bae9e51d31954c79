"""Sessions in plain Python, over a whole log at once: the rules word for word, as a reference for the job."""

from datetime import date, datetime, timedelta
from typing import NamedTuple


class Event(NamedTuple):
    user_id: str
    event_time: datetime
    event_id: str


def sessions(log: list[Event], gap: timedelta) -> list[list[Event]]:
    """The sessions of a log, each as its ordered events."""
    found: list[list[Event]] = []
    chain_day: date | None = None
    for event in sorted(log):
        last = found[-1][-1] if found else None
        day = event.event_time.date()
        if last is None or last.user_id != event.user_id or event.event_time - last.event_time > gap:
            found.append([event])
            chain_day = day
        elif day != last.event_time.date() and chain_day is not None and day - chain_day > timedelta(days=1):
            found.append([event])  # a midnight after the first one that the chain crosses
        else:
            found[-1].append(event)
    return found


def closed_on(session: list[Event], gap: timedelta) -> date:
    return (session[-1].event_time + gap).date()
