"""Late days: published closing dates whose sessions do not follow from the newest events any more.

An arrival may bring events of days before its own. ``clean`` notes which event dates each of its commits touches. A closing
date that can follow from one of them is late when its sessions were made from events that are older than the commit. A date
that was never published is left to its own run. Who looks, and when, changes nothing about what is late: a date that was told
once and was forgotten is told again by whoever looks next.

``python -m jobs.late`` lists them all; ``python -m jobs.late --closed-on 1998-04-16`` asks about one date.
"""

import argparse
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from jobs.look_back import look_ahead
from schemas.cli import day, log, run_command
from schemas.errors import NothingToDo
from schemas.lake import Lake, open_lake

TOUCHED = "event_dates"
"""The note of ``clean`` in its commits: the first and last of each run of dates that it touches."""


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


def late_days(lake: Lake) -> list[date]:
    """The published closing dates that are late, in order."""
    made = {date.fromisoformat(text): commit for text, commit in lake.current_commits("sessions").items()}
    made_from = {d: lake.sequence("events", commit.inputs.get("events", 0)) for d, commit in made.items()}
    late = set[date]()
    for commit in lake.commits("events"):
        changed = look_ahead(days_of(commit.notes.get(TOUCHED, ())))
        late.update(d for d in changed if d in made_from and made_from[d] < commit.sequence_number)
    return sorted(late)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """List the late days, or ask about one."""
    parser = argparse.ArgumentParser(description="List the published days whose sessions late events change.")
    parser.add_argument("--closed-on", type=day, help="ask about this date alone; where it is not late there is nothing to do")
    args = parser.parse_args(argv)
    late = late_days(open_lake())
    if args.closed_on is not None:
        if args.closed_on not in late:
            raise NothingToDo(f"the sessions of {args.closed_on} are not late: no newer events change them; nothing to do")
        late = [args.closed_on]
    log.info("late days", count=len(late))
    return {"late_days": late}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
