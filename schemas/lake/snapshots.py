"""Names for snapshots: tags keep them from expiry, and readers ask for a table as of a tag or a snapshot.

A training tags what it reads (:func:`training_tag`). Every job that reads the lake takes ``--as-of-snapshot``: see
:func:`add_snapshot_option` and :func:`inputs_for`.
"""

import argparse
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial

from schemas.lake.catalog import until_committed
from schemas.lake.lake import Lake
from schemas.runtime.errors import ClickwrightError, ConfigError
from schemas.runtime.local_files import slug
from schemas.source import has_catalogue

PREFIX = "train-"


def training_tag(run: str) -> str:
    """The tag of what a training reads."""
    return f"{PREFIX}{slug(run)}"


def tags(lake: Lake, table: str) -> dict[str, int]:
    """The tags of a table, and the snapshots that they name."""
    if not lake.exists(table):
        return {}
    refs = lake.table(table).refs()
    return {name: ref.snapshot_id for name, ref in sorted(refs.items()) if ref.snapshot_ref_type == "tag"}


def tag_snapshots(lake: Lake, tag: str, snapshots: Mapping[str, int]) -> None:
    """Give a snapshot of each table a name that keeps it from expiry. The same again changes nothing.

    Raises:
        ClickwrightError: the tag names another snapshot of a table already, or a snapshot is gone.
    """
    for table, snapshot in snapshots.items():
        named = tags(lake, table).get(tag)
        if named is not None and named != snapshot:
            raise ClickwrightError(
                f"tag {tag} names snapshot {named} already, and not {snapshot}; in table {table}; choose another run's name"
            )
        snapshot_of(lake, table, str(snapshot))
        until_committed(partial(lake.tag, table, snapshot, tag), f"tag {tag} of table {table}", "run this again")


def snapshot_of(lake: Lake, table: str, name: str) -> int:
    """The snapshot that a tag or a snapshot's own number names.

    Raises:
        ConfigError: the table has no such tag or snapshot, or no longer.
    """
    named = tags(lake, table)
    if name in named:
        return named[name]
    if lake.exists(table) and name.isdecimal() and lake.table(table).snapshot_by_id(int(name)) is not None:
        return int(name)
    known = ", ".join(named) or "none"
    raise ConfigError(
        f"there is no snapshot or tag {name}, or no longer; in table {table}; name a snapshot that has not expired or a tag "
        f"(it has: {known})"
    )


def add_snapshot_option(parser: argparse.ArgumentParser) -> None:
    """The option of every job that reads the lake."""
    parser.add_argument(
        "--as-of-snapshot",
        action="append",
        default=[],
        metavar="[TABLE=]NAME",
        help="read a table as of a snapshot id or a tag; without TABLE= every table that has this tag (may be given again). "
        "Publishing then leaves partitions that were made from newer inputs as they are",
    )


def inputs_for(lake: Lake, tables: Sequence[str], as_of: Sequence[str] = ()) -> dict[str, int]:
    """The snapshot of every table that a job reads, fixed before its first read.

    Args:
        lake: the lake.
        tables: the tables that the job reads; ``items`` is not among them where no source has a catalogue.
        as_of: what ``--as-of-snapshot`` was given.

    Raises:
        ClickwrightError: a table was never published.
        ConfigError: what was given names a table that the job does not read, or no snapshot.
    """
    tables = [table for table in tables if table != "items" or has_catalogue(lake.settings)]
    inputs = {table: snapshot for table in tables if (snapshot := lake.snapshot(table)) is not None}
    if missing := [table for table in tables if table not in inputs]:
        raise ClickwrightError(
            f"table {', '.join(missing)} holds nothing; in {lake.folder}; run `behaviour_day` for a day first"
        )
    for text in as_of:
        table, _, name = text.rpartition("=")
        wanted = [table] if table else [table for table in tables if name in tags(lake, table)]
        if not wanted or not set(wanted) <= set(tables):
            raise ConfigError(
                f"{text} names nothing that this job reads; in --as-of-snapshot; write TABLE=SNAPSHOT, TABLE=TAG or a tag, "
                f"with TABLE one of {', '.join(tables)}"
            )
        inputs |= {one: snapshot_of(lake, one, name) for one in wanted}
    return inputs


def catalogue_of(lake: Lake, inputs: Mapping[str, int], day: date) -> date | None:
    """The day of the newest catalogue that is not after ``day``; None for a job to which :func:`inputs_for` gave no ``items``.

    Raises:
        ClickwrightError: none is published yet.
    """
    found: date | None = lake.newest_partition("items", "as_of", day, inputs["items"]) if "items" in inputs else None
    return found
