"""Shared by all maintenance tasks: their arguments, and the age limit of removals."""

import argparse
from datetime import UTC, date, datetime, time, timedelta

from schemas.contract import table_names
from schemas.runtime.cli import day, parser_of, run_id_default
from schemas.runtime.errors import ConfigError

KEEP_DAYS = 7


def parser(description: str, example: str, *, deletes: bool = True, tables: bool = True) -> argparse.ArgumentParser:
    """Make a parser with the arguments of all maintenance tasks.

    Args:
        description: description of the command.
        example: a command line, shown in the help.
        deletes: whether the command changes the lake; if so, it gets ``--dry-run``.
        tables: whether the command works on tables; if so, it gets ``--table``.
    """
    made = parser_of(description, example)
    made.add_argument("--date", type=day, required=True, help="day from which ages are counted back, YYYY-MM-DD")
    if tables:
        made.add_argument("--table", action="append", choices=table_names(), help="only this table (repeatable; default: all)")
    made.add_argument("--run", default=run_id_default(), help="name of the run (default: the run of this shell)")
    if deletes:
        made.add_argument("--dry-run", action="store_true", help="print the planned changes without making them")
    return made


def with_age(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the option ``--keep-days``, the age limit of removals."""
    made.add_argument(
        "--keep-days", type=int, default=KEEP_DAYS, help=f"days that no reader or job exceeds; younger data stays ({KEEP_DAYS})"
    )
    return made


def cutoff(on: date, keep_days: int) -> datetime:
    """The time before which unneeded data may be removed: midnight UTC, ``keep_days`` days before a day.

    Args:
        on: the day.
        keep_days: number of days.

    Raises:
        ConfigError: the time is too recent; running jobs could lose data.

    >>> str(cutoff(date(2026, 1, 8), 7))
    '2026-01-01 00:00:00+00:00'
    """
    moment = datetime.combine(on, time.min, UTC) - timedelta(days=keep_days)
    if keep_days < 1 or moment > datetime.now(UTC) - timedelta(days=1):
        raise ConfigError(
            f"data younger than a day may be in use; the limit is {moment:%Y-%m-%d}; "
            "give a --date that is not in the future, and --keep-days of at least 1"
        )
    return moment
