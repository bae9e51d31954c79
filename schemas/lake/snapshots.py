"""Snapshot tags: they protect snapshots from expiry, and readers can read a table as of a tag or a snapshot id.

A training tags its input snapshots (:func:`training_tag`). Every job that reads the lake has the option ``--as-of-snapshot``,
see :func:`add_snapshot_option` and :func:`inputs_for`.
"""

import argparse
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial

from schemas.lake.catalog import commit_with_retry
from schemas.lake.lake import Lake
from schemas.runtime.errors import ClickwrightError, ConfigError
from schemas.runtime.local_files import slug

PREFIX = "train-"


def training_tag(run: str) -> str:
    """The tag of a training's input snapshots.

    >>> training_tag("weekly")
    'train-weekly'
    """
    return f"{PREFIX}{slug(run)}"


def tags(lake: Lake, table: str) -> dict[str, int]:
    """The tags of a table and their snapshot ids.

    Args:
        lake: the lake.
        table: the table; it may not exist yet.
    """
    if not lake.exists(table):
        return {}
    refs = lake.table(table).refs()
    return {name: ref.snapshot_id for name, ref in sorted(refs.items()) if ref.snapshot_ref_type == "tag"}


def tag_snapshots(lake: Lake, tag: str, snapshots: Mapping[str, int]) -> None:
    """Tag a snapshot of each table, which protects it from expiry. It is idempotent.

    Args:
        lake: the lake.
        tag: the tag.
        snapshots: snapshot id by table.

    Raises:
        ClickwrightError: the tag already names another snapshot of a table, or a snapshot has expired.
    """
    for table, snapshot in snapshots.items():
        named = tags(lake, table).get(tag)
        if named is not None and named != snapshot:
            raise ClickwrightError(
                f"tag {tag} already names snapshot {named}, not {snapshot}; in table {table}; choose another name for the run"
            )
        snapshot_of(lake, table, str(snapshot))
        commit_with_retry(partial(lake.tag, table, snapshot, tag), f"tag {tag} of table {table}", "run this again")


def snapshot_of(lake: Lake, table: str, name: str) -> int:
    """Resolve a tag or a snapshot id to a snapshot id.

    Args:
        lake: the lake.
        table: the table.
        name: a tag, or a snapshot id as text.

    Raises:
        ConfigError: the table has no such tag or snapshot, or it has expired.
    """
    named = tags(lake, table)
    if name in named:
        return named[name]
    if lake.exists(table) and name.isdecimal() and lake.table(table).snapshot_by_id(int(name)) is not None:
        return int(name)
    known = ", ".join(named) or "none"
    raise ConfigError(
        f"there is no snapshot or tag {name}, or it has expired; in table {table}; name a current snapshot or a tag "
        f"(known tags: {known})"
    )


def add_snapshot_option(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--as-of-snapshot`` of jobs that read the lake."""
    parser.add_argument(
        "--as-of-snapshot",
        action="append",
        default=[],
        metavar="[TABLE=]NAME",
        help="read a table as of a snapshot id or a tag; without TABLE=, all tables that have this tag (repeatable). "
        "Publishing then leaves partitions that were made from newer inputs unchanged",
    )


def inputs_for(lake: Lake, tables: Sequence[str], as_of: Sequence[str] = ()) -> dict[str, int]:
    """The snapshot of each table that a job reads, fixed before its first read.

    Args:
        lake: the lake.
        tables: the tables that the job reads.
        as_of: the values of ``--as-of-snapshot``.

    Returns:
        Snapshot id by table.

    Raises:
        ClickwrightError: a table was never published.
        ConfigError: a value names a table that the job does not read, or a snapshot that does not exist.
    """
    inputs = {table: snapshot for table in tables if (snapshot := lake.snapshot(table)) is not None}
    if missing := [table for table in tables if table not in inputs]:
        raise ClickwrightError(f"table {', '.join(missing)} is empty; in {lake.folder}; run `behaviour_day` for a day first")
    for text in as_of:
        table, _, name = text.rpartition("=")
        wanted = [table] if table else [table for table in tables if name in tags(lake, table)]
        if not wanted or not set(wanted) <= set(tables):
            raise ConfigError(
                f"{text} does not name a table or tag of this job; in --as-of-snapshot; write TABLE=SNAPSHOT, TABLE=TAG or a "
                f"tag, with TABLE one of {', '.join(tables)}"
            )
        inputs |= {one: snapshot_of(lake, one, name) for one in wanted}
    return inputs


def catalogue_of(lake: Lake, inputs: Mapping[str, int], day: date) -> date | None:
    """The day of the newest catalogue that is not after ``day``; None if ``inputs`` has no ``items``.

    Args:
        lake: the lake.
        inputs: snapshot id by table, from :func:`inputs_for`.
        day: the last allowed day.

    Raises:
        ClickwrightError: no catalogue is published yet.
    """
    found: date | None = lake.newest_partition("items", "as_of", day, inputs["items"]) if "items" in inputs else None
    return found
