"""What the duties of upkeep have in common: their arguments, the age from which something may go, one at a time."""

import argparse
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from schemas.contract import table_names
from schemas.lake.lake import Lake
from schemas.runtime.cli import day, run_id_default
from schemas.runtime.errors import ConfigError

KEEP_DAYS = 7


def parser(description: str, *, deletes: bool = True) -> argparse.ArgumentParser:
    """The arguments that all duties take."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--date", type=day, required=True, help="the day that ages are counted back from, YYYY-MM-DD")
    made.add_argument("--table", action="append", choices=table_names(), help="only this table; may be given several times")
    made.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    if deletes:
        made.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    return made


def with_age(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """And the age up to which everything stays."""
    made.add_argument(
        "--keep-days", type=int, default=KEEP_DAYS, help=f"no reader and no job goes on for longer than this ({KEEP_DAYS})"
    )
    return made


def cutoff(on: date, keep_days: int) -> datetime:
    """The moment before which what nobody needs may go: midnight UTC, some days before a day.

    Raises:
        ConfigError: it would take what running jobs write.
    """
    moment = datetime.combine(on, time.min, UTC) - timedelta(days=keep_days)
    if keep_days < 1 or moment > datetime.now(UTC) - timedelta(days=1):
        raise ConfigError(
            f"what is younger than a day may be in use; asked to go up to {moment:%Y-%m-%d}; "
            "give a --date that is not in the future, and --keep-days of at least 1"
        )
    return moment


def chosen(lake: Lake, names: Sequence[str] | None) -> list[str]:
    """The tables to look after: those asked for, or all, as far as they hold anything."""
    return [name for name in names or table_names() if lake.exists(name)]
