"""One task: simulate a day of a block of cells, and write it. The truth is stored outside the landing zone.

=================================================  =============================================================
``<landing>/simulated/arrived=.../part-*``         JSON Lines, gzip: events and defects (format json_lines)
``<landing>/simulated-items/arrived=.../part-*``   JSON Lines, gzip: the catalogue, new items on their day
``<landing>/simulated-parquet/day=.../part-*``     few columns, only the genuine events (format parquet)
``<truth>/impressions/part-*``                     click probability, propensity and click of each impression
``<truth>/sessions/part-*``                        the planted sessions
``<truth>/planted/part-*``                         each planted line: file, line, kind, outcome, reasons
``<truth>/users/part-*``, ``items/part-*``         interests and drift; topics and hidden quality
``<truth>/choices/part-*``                         click probability of each item, by user, on the last days
``<truth>/world.json``                             arguments, model constants, counts, accounting by arrival day
=================================================  =============================================================
"""

import gzip
import io
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.simulate.behaviour import CellDay, Events, Kind, cell_day
from jobs.simulate.click_probabilities import choices_table
from jobs.simulate.defects import Line, arrival_day, cell_lines, machine_lines
from jobs.simulate.lines import KINDS, hex_ids, item_lines, item_names, user_names
from jobs.simulate.truth import impressions_table, items_table, sessions_table, users_table
from jobs.simulate.world import HOUR, World
from schemas.outcomes import Defect, Outcome

SOURCE, ITEMS_FOLDER, PARQUET_FOLDER = "simulated", "simulated-items", "simulated-parquet"
MACHINES = -1  # the block of bots and runaway users
ITEMS_A_FILE = 100_000
COMPRESSION = 4
EPOCH = date(1970, 1, 1)
Format = Literal["json_lines", "parquet"]
PLANTED_SCHEMA = pa.schema(
    [
        ("kind", pa.string()), ("arrived_on", pa.date32()), ("file", pa.string()), ("line", pa.int64()),
        ("event_id", pa.string()), ("outcome", pa.string()), ("reasons", pa.list_(pa.string())),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Where and how the world is written, and in how many cells at a time. Without ``truth`` only the lines are written.

    For the last ``choice_days`` the truth includes the click probabilities, which cost more than the world itself.
    """

    world: World
    landing: Path
    truth: Path | None
    format: Format = "json_lines"
    cells_a_task: int = 1
    choice_days: int = 0

    @property
    def blocks(self) -> int:
        return -(-self.world.cells // self.cells_a_task)

    def tasks(self) -> list[tuple[int, int]]:
        """(day, block) of every task."""
        blocks = range(MACHINES if self.format == "json_lines" else 0, self.blocks)
        return [(day, block) for day in range(self.world.days) for block in blocks]


def run_task(plan: Plan, day: int, block: int) -> dict[str, Any]:
    """Simulate a day of a block, and write it.

    Args:
        plan: the plan.
        day: number of the day, from 0.
        block: number of the block of cells; -1 is the bots and the runaway user.

    Returns:
        Counts of sessions, events, lines, files and bytes.
    """
    part = f"part-{day:05d}-machines" if block == MACHINES else f"part-{day:05d}-{block:06d}"
    if block == MACHINES:
        return _write_lines(plan, part, machine_lines(plan.world, day))
    cells = range(block * plan.cells_a_task, min((block + 1) * plan.cells_a_task, plan.world.cells))
    lived = [cell_day(plan.world, day, cell) for cell in cells]
    figures: dict[str, Any] = {"sessions": sum(len(np.unique(cell.events.session)) for cell in lived)}
    for cell in lived:
        add(figures, {"policy_values": cell.policy_values, "events_by_type": _by_type(cell.events)})
    if plan.format == "parquet":
        add(figures, _write_columns(plan, day, part, Events.join([cell.events for cell in lived])))
    else:
        lines = (line for i, cell in zip(cells, lived, strict=True) for line in cell_lines(plan.world, day, i, cell.events))
        add(figures, _write_lines(plan, part, lines))
    if plan.truth is not None:
        _write_truth(plan.world, plan.truth, part, lived)
        if day >= plan.world.days - plan.choice_days:
            choices = [choices_table(plan.world, day, cell) for cell in lived]
            write_table(plan.truth / "choices" / f"{part}.parquet", pa.concat_tables(choices))
        if day == 0:
            write_table(plan.truth / "users" / f"part-{block:06d}.parquet", users_table(plan.world, cells))
    return figures


def add(total: dict[str, Any], part: dict[str, Any]) -> None:
    """Add the counts of a part, at every depth.

    Args:
        total: changed in place.
        part: nested counts.

    >>> total = {"lines": 1}
    >>> add(total, {"lines": 2, "planted": {"late": 1}})
    >>> total
    {'lines': 3, 'planted': {'late': 1}}
    """
    for name, value in part.items():
        if isinstance(value, dict):
            add(total.setdefault(name, {}), value)
        else:
            total[name] = total.get(name, 0) + value


def _by_type(events: Events) -> dict[str, int]:
    counts = np.bincount(events.kind, minlength=len(Kind)).tolist()
    return dict(zip(KINDS, counts, strict=True))


def _write_lines(plan: Plan, part: str, lines: Iterable[Line]) -> dict[str, Any]:
    """Write a task's landing files, one for each hour of arrival; planted lines are recorded with their file and line."""
    hours: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        hours[line.arrives].append(line)
    accounts: dict[str, Any] = {}
    planted, size = [], 0
    for hour in sorted(hours):
        inside = sorted(hours[hour], key=lambda line: (line.time, line.event_id, line.copy))
        moment = datetime.combine(EPOCH, datetime.min.time()) + timedelta(hours=hour)
        file = f"{SOURCE}/arrived={moment:%Y-%m-%dT%H}/{part}.jsonl.gz"
        content = gzip.compress(b"".join(line.text + b"\n" for line in inside), COMPRESSION, mtime=0)
        write_bytes(plan.landing / file, content)
        arrived_on = EPOCH + timedelta(days=arrival_day(hour))
        add(accounts, {arrived_on.isoformat(): account(inside, arrived_on)})
        planted += [
            (str(line.kind), arrived_on, file, number, f"{line.event_id:016x}", str(line.outcome), list(line.reasons))
            for number, line in enumerate(inside, 1)
            if line.kind is not None
        ]
        size += len(content)
    if plan.truth is not None and planted:
        columns = [pa.array(c, t) for c, t in zip(zip(*planted, strict=True), PLANTED_SCHEMA.types, strict=True)]
        write_table(plan.truth / "planted" / f"{part}.parquet", pa.table(columns, schema=PLANTED_SCHEMA))
    kinds = Counter(row[0] for row in planted)
    return {
        "lines": sum(map(len, hours.values())),
        "files": len(hours),
        "bytes": size,
        "arrivals": accounts,
        "planted": dict(kinds),
    }


def account(lines: list[Line], arrived_on: date) -> dict[str, Any]:
    """The figures that :func:`jobs.cleaning.accounting.accounts` must report for these lines.

    Args:
        lines: the lines of one arrival day.
        arrived_on: the arrival day.
    """
    outcomes = Counter(line.outcome for line in lines)
    reasons = Counter(reason for line in lines for reason in line.reasons)
    day = (arrived_on - EPOCH).days
    late = sum(line.kind is Defect.LATE and day > line.time // (24 * HOUR) for line in lines)
    return {
        "lines_read": len(lines),
        "events": outcomes[Outcome.EVENT],
        "rejects": outcomes[Outcome.REJECT],
        "duplicates": outcomes[Outcome.EXACT_DUPLICATE] + outcomes[Outcome.NEAR_DUPLICATE],
        "exact_duplicates": outcomes[Outcome.EXACT_DUPLICATE],
        "near_duplicates": outcomes[Outcome.NEAR_DUPLICATE],
        "late_events": late,
        "reasons": dict(reasons),
    }


def _write_columns(plan: Plan, day: int, part: str, events: Events) -> dict[str, Any]:
    """The genuine events of a task as a few columns, in order of time."""
    events = events.take(np.lexsort((events.event_id, events.time)))
    users, who = np.unique(events.user, return_inverse=True)
    items, what = np.unique(np.maximum(events.item, 0), return_inverse=True)
    item = pa.array(what.astype(np.int32), mask=events.item < 0)
    columns = {
        "event_id": hex_ids(events.event_id),
        "user_id": pa.DictionaryArray.from_arrays(who.astype(np.int32), user_names(users)),
        "event_type": pa.DictionaryArray.from_arrays(events.kind, pa.array(KINDS)),
        "event_time": pa.array(events.time * 1000, pa.timestamp("us", tz="UTC")),
        "item_id": pa.DictionaryArray.from_arrays(item, item_names(items, plan.world.catalogue.is_ad)),
    }
    path = plan.landing / PARQUET_FOLDER / f"day={plan.world.date_of(day)}" / f"{part}.parquet"
    return {"lines": len(events), "files": 1, "bytes": write_table(path, pa.table(columns))}


def _write_truth(world: World, truth: Path, part: str, lived: list[CellDay]) -> None:
    impressions, sessions = zip(*[(impressions_table(cell), sessions_table(cell)) for cell in lived], strict=True)
    write_table(truth / "impressions" / f"{part}.parquet", pa.concat_tables(impressions))
    write_table(truth / "sessions" / f"{part}.parquet", pa.concat_tables(sessions))


def write_catalogue(plan: Plan) -> int:
    """Write the catalogue, new items on their day, and the truth of each item. Returns the number of files."""
    world, files = plan.world, 0
    for day in range(world.days):
        start, end = world.items_on(day - 1) if day else 0, world.items_on(day)
        for part, first in enumerate(range(start, end, ITEMS_A_FILE)):
            last = min(first + ITEMS_A_FILE, end)
            text = "".join(f"{line}\n" for line in item_lines(world, first, last))
            path = plan.landing / ITEMS_FOLDER / f"arrived={world.date_of(day)}T01" / f"part-{part:03d}.jsonl.gz"
            write_bytes(path, gzip.compress(text.encode(), COMPRESSION, mtime=0))
            files += 1
            if plan.truth is not None:
                table = items_table(world, day, first, last)
                write_table(plan.truth / "items" / f"part-{day:05d}-{part:03d}.parquet", table)
    return files


def write_table(path: Path, table: pa.Table) -> int:
    """Write a table as Parquet.

    Args:
        path: the file.
        table: the table.

    Returns:
        The size of the file in bytes.
    """
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    write_bytes(path, buffer.getvalue())
    return buffer.tell()


def write_bytes(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.part")
    fresh.write_bytes(content)
    fresh.replace(path)  # a job never sees a partial file
