"""The closing dates that a range of days can hold: a person may type any year into Airflow's form."""

from datetime import date, timedelta

from jobs.sessions.lookback import look_ahead
from schemas.contract import Contract, load_contract
from schemas.lake.lake import Lake
from schemas.runtime.errors import ConfigError


def earliest_event_date(events: Contract) -> date:
    """The date before which the contract allows no event.

    >>> str(earliest_event_date(load_contract("events")))
    '1990-01-01'
    """
    return next(rule.low.date() for rule in events.rules if rule.column == "event_time" and rule.low is not None)


def expect_possible(first: date, option: str) -> None:
    """Refuse a first date before the earliest possible event.

    Args:
        first: the date.
        option: the option that gave it, for the message.

    Raises:
        ConfigError: the date is too early.
    """
    earliest = earliest_event_date(load_contract("events"))
    if first < earliest:
        raise ConfigError(
            f"{first} is before {earliest}, the earliest event time that the contract allows; "
            f"in {option} (history_since in Airflow); give the first date of the history"
        )


def closing_dates(lake: Lake, snapshot: int | None, first: date, last: date) -> list[date]:
    """The dates of a range on which sessions may close, or did: others would be empty before and after.

    The last day is always among them, or the first one if the range lies after all events.

    Args:
        lake: the lake.
        snapshot: the snapshot of ``events``.
        first: first date of the range.
        last: last date of the range, inclusive.
    """
    events = lake.partitions("events", "event_date", snapshot)
    known = sorted({*look_ahead(events[:1] + events[-1:]), *lake.partitions("sessions", "closed_on")})
    if known:
        first = max(first, min(known[0], last))
        last = min(last, max(known[-1], first))
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]
