"""Late days: published days whose rows no longer follow from the newest events, or that have landing files nobody has read.

An arrival may contain events of earlier days. ``clean`` notes which event dates each of its commits touches. A closing date
that depends on one of them is late if its sessions were made from events older than the commit. The profiles as of a day are
late if an arrival of that day or before was published or changed after they were made, because a day was corrected or was
published out of order. A commit that restores the same rows makes no day late. An arrival day is late if a landing file came,
or grew, after the day was read. A day that was never published is left to its own run. The check has no state: a late day that
Airflow dropped is reported again by the next check.

``python -m jobs.late_days`` lists them all; ``--arrived-on 1998-04-16`` asks about the landing files of one day,
``--closed-on`` about its sessions, ``--as-of`` about its profiles.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from jobs.cleaning.commit_notes import CONTENT_DIGEST, TOUCHED, days_of
from jobs.landing.published import SHOWN, unread_files
from jobs.sessions.lookback import look_ahead
from schemas.lake.commits import Commit
from schemas.lake.lake import Lake, open_lake
from schemas.runtime.cli import day, log, parser_of, run_command
from schemas.runtime.errors import NothingToDo
from schemas.source import load_source


def changes(lake: Lake) -> list[Commit]:
    """The publications of ``events`` that changed rows, oldest first; those that restored the same rows are left out.

    Commits of maintenance and erasure make no day late: compaction changes no row, retention removes days as a whole, and an
    erasure itself removes the users' rows from every table.
    """
    known: dict[str, Any] = {}
    found = []
    for commit in reversed(lake.publications("events")):
        arrivals = [value for values in commit.replaced.values() for value in values]
        content = commit.notes.get(CONTENT_DIGEST)
        if content is None or any(known.get(arrival) != content for arrival in arrivals):
            found.append(commit)
        known.update(dict.fromkeys(arrivals, content))
    return found


def made_from(lake: Lake, table: str) -> dict[date, int]:
    """The published days of a table, each with the sequence number of the ``events`` commit that it was made from.

    Args:
        lake: the lake.
        table: ``sessions`` or ``profiles``.
    """
    made = {date.fromisoformat(text): commit for text, commit in lake.current_commits(table).items()}
    return {d: lake.sequence("events", commit.inputs.get("events", 0)) for d, commit in made.items()}


def late_sessions(lake: Lake) -> list[date]:
    """The published closing dates that are late, in order."""
    made = made_from(lake, "sessions")
    late = set[date]()
    for commit in changes(lake):
        changed = look_ahead(days_of(commit.notes.get(TOUCHED, ())))
        late.update(d for d in changed if d in made and made[d] < commit.sequence_number)
    return sorted(late)


def late_profiles(lake: Lake) -> list[date]:
    """The published days of profiles that are late, in order."""
    made = made_from(lake, "profiles")
    late = set[date]()
    for commit in changes(lake):
        first = min(date.fromisoformat(value) for values in commit.replaced.values() for value in values)
        late.update(d for d in made if first <= d and made[d] < commit.sequence_number)
    return sorted(late)


def late_arrivals(lake: Lake) -> list[date]:
    """The published arrival days with landing files that were not read, in order."""
    found = unread_files(lake, [load_source(name) for name in lake.settings.source_names], lake.settings)
    for arrived_on, files in found.items():
        log.warning("landing files that were not read", arrived_on=str(arrived_on), files=files[:SHOWN], count=len(files))
    return sorted(found)


def late_days(lake: Lake) -> list[date]:
    """The days whose arrivals, sessions or profiles are late, in order."""
    return sorted({*late_arrivals(lake), *late_sessions(lake), *late_profiles(lake)})


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """List the late days, or ask about one."""
    parser = parser_of("List the published days that newer events change.", "python -m jobs.late_days --closed-on 1998-04-16")
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--arrived-on", type=day, help="ask about the landing files of this day; nothing to do if all were read")
    one.add_argument("--closed-on", type=day, help="ask about the sessions of this day; nothing to do if they are not late")
    one.add_argument("--as-of", type=day, help="ask about the profiles as of this day; nothing to do if they are not late")
    args = parser.parse_args(argv)
    lake = open_lake()
    if args.arrived_on is not None and args.arrived_on not in late_arrivals(lake):
        raise NothingToDo(f"the landing files of {args.arrived_on} were all read; nothing to do")
    for asked, what, find in ((args.closed_on, "sessions", late_sessions), (args.as_of, "profiles", late_profiles)):
        if asked is not None and asked not in find(lake):
            raise NothingToDo(f"the {what} of {asked} are not late: no newer events change them; nothing to do")
    asked = args.arrived_on or args.closed_on or args.as_of
    late = late_days(lake) if asked is None else [asked]
    log.info("late days", count=len(late))
    return {"late_days": late}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
