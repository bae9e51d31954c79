"""Test processes that start fast, with preloaded modules, and can be killed at any time."""

import multiprocessing
import os
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from multiprocessing.context import ForkServerProcess
from multiprocessing.queues import Queue
from typing import Any

import pyarrow as pa

from schemas.runtime.errors import ClickwrightError

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "jobs.landing.readers",
        "schemas.erasure.__main__",
        "schemas.maintenance.__main__",
        "schemas.publishing.publish",
        "tests.jobs.landing.readers.conftest",
        "tests.schemas.lakes",
    ]
)
ROWS = 6
"""Rows per partition of the publishers."""
MOST_ATTEMPTS = 20


def start(target: Callable[..., None], *args: Any) -> ForkServerProcess:
    """Start a process with the current settings."""
    settings = {name: value for name, value in os.environ.items() if name.startswith("CLICKWRIGHT_")}
    process = CONTEXT.Process(target=_with_settings, args=(settings, target, args))
    process.start()
    return process


def _with_settings(settings: dict[str, str], target: Callable[..., None], args: Sequence[Any]) -> None:
    os.environ.update(settings)
    target(*args)


def erase_from(file: str) -> None:
    from schemas.erasure.__main__ import main
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(lambda: main(["--from", file, "--date", "2026-11-21"])))


# ---- publishers, readers and maintenance ----------------------------------------------------------------------------------


def version_rows(day: date, version: int) -> pa.Table:
    """The rows of a partition in a version, which is stored in ``n_items``."""
    from tests.schemas.lakes import rows_of

    rows = rows_of("sessions", [f"{i}@people.example" for i in range(ROWS)], day, 1)
    field = rows.schema.field("n_items")
    return rows.set_column(rows.schema.get_field_index("n_items"), field, pa.array([version] * ROWS, field.type))


def publish_version(day: date, version: int) -> None:
    """Stage and publish a version of a day, with one file per row."""
    import pyarrow.parquet as pq

    from schemas.publishing import publish
    from schemas.publishing.staging import open_attempt
    from tests.schemas.lakes import pass_audit

    run, rows = f"{day}-{version}", version_rows(day, version)
    with open_attempt("test", run, {}) as attempt:
        folder = attempt.folder("sessions")
        folder.mkdir(parents=True)
        for i in range(ROWS):
            pq.write_table(rows.slice(i, 1), folder / f"part-{i}.parquet", store_schema=False)
        attempt.replaces("sessions", "closed_on", [day])
    pass_audit(run)
    publish.main(["--job", "test", "--run", run])


def keep_publishing(day: date, until: float, said: "Queue[Any]") -> None:
    """Publish one version after the other; report the last version or the error.

    The tests shorten days to seconds, so maintenance may abandon an attempt before it is published. It is then built again.
    """
    version = 0
    try:
        while time.time() < until:
            version += 1
            for attempt in range(MOST_ATTEMPTS):
                try:
                    publish_version(day, version)
                    break
                except (ClickwrightError, FileNotFoundError):
                    if attempt == MOST_ATTEMPTS - 1:
                        raise
        said.put(("published", str(day), version))
    except Exception as error:
        said.put(("failed", f"publish {day}", repr(error)))


def keep_reading(until: float, said: "Queue[Any]") -> None:
    """Read the whole table repeatedly: each partition has all rows of one version, which never gets older."""
    from schemas.lake.lake import open_lake

    lake, seen, reads = open_lake(), dict[date, int](), 0
    try:
        while time.time() < until:
            rows = lake.arrow("sessions").to_pylist()
            for day in {row["closed_on"] for row in rows} | seen.keys():
                versions = [row["n_items"] for row in rows if row["closed_on"] == day]
                assert len(versions) == ROWS, f"{len(versions)} rows of {day}"
                assert len(set(versions)) == 1, f"versions {sorted(set(versions))} of {day}"
                assert versions[0] >= seen.get(day, 0), f"version {versions[0]} of {day} after {seen[day]}"
                seen[day] = versions[0]
            reads += 1
        said.put(("read", "sessions", reads))
    except Exception as error:
        said.put(("failed", "read", repr(error)))


def keep_keeping(until: float, age_s: float, said: "Queue[Any]") -> None:
    """Compact, expire and remove repeatedly, until each has done something; a day lasts ``age_s`` seconds."""
    from schemas.lake.lake import open_lake
    from schemas.maintenance import compact, expire_snapshots, orphan_files

    lake, done, began = open_lake(), dict.fromkeys(("compacted", "expired", "removed"), 0), time.time()
    try:
        while time.time() < until or (not all(done.values()) and time.time() < until + 60 + 3 * age_s):
            before = datetime.now(UTC) - timedelta(seconds=age_s)
            on = date(2026, 11, 21) + timedelta(days=int((time.time() - began) / age_s))
            done["compacted"] += compact.compact(lake, "sessions", "keep", fewest=2)["into"]
            done["expired"] += expire_snapshots.expire(lake, "sessions", before)["expired"]
            done["removed"] += orphan_files.remove(lake, ["sessions"], on, before)["tables"]["sessions"]["data_files"]
            time.sleep(random.uniform(0, 0.05))
        said.put(("kept", "sessions", done))
    except Exception as error:
        said.put(("failed", "keep", repr(error)))
