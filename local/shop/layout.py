"""Lays the simulated shop out beside the films: its history as one delivery, its last days as daily arrivals.

``python -m jobs.simulate`` invents the shop. Its lines of the days before the first daily arrival are put into one file, which
arrives together with the history of the films; the lines of the daily arrivals stay in the files that the simulator wrote. The
whole catalogue arrives with the history. The simulator records each line that it planted; those of the daily arrivals are
recorded here in the form of ``local.movielens``, so that both sources are verified in the same way.
"""

import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from local.movielens.dataset import FIRST_DAY, LAST_DAY
from local.movielens.landing_lines import HOUR, arrives_by, compress, folder
from schemas.outcomes import Defect, Outcome

SOURCE, ITEMS = "simulated", "simulated-items"
DAYS = 36
"""Arrival days of the shop; the last one is the last of the films."""
ARGUMENTS = {"--events": 20_000, "--users": 260, "--items": 240, "--days": DAYS, "--late": 0}
"""The size of the shop: about 560 events a day. Late lines come with the films."""
DUMP = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, 1, tzinfo=UTC) - HOUR
"""The hour in which the history arrives: the last one before the first daily arrival."""
USER_DOMAIN = "sim.example"
RAW_IDS = (f"@{USER_DOMAIN}", "shopper-0")
"""The parts of every raw user id of the shop, as for :data:`local.movielens.dataset.RAW_IDS`."""
Place = tuple[str, int]


class Shop(NamedTuple):
    """Content by path relative to the landing zone, and the planted lines of the daily arrivals."""

    files: dict[str, bytes]
    planted: list[dict[str, Any]]


def arguments(landing: Path, truth: Path, seed: int) -> list[str]:
    """The arguments of ``jobs.simulate`` for this shop.

    Args:
        landing: the folder for its lines.
        truth: the folder for its truth.
        seed: of everything random.
    """
    size = [text for option, value in ARGUMENTS.items() for text in (option, str(value))]
    first = LAST_DAY - timedelta(days=DAYS - 1)
    return [*size, "--first-day", str(first), "--seed", str(seed), "--landing", str(landing), "--truth", str(truth)]


def lay_out(landing: Path, truth: Path) -> Shop:
    """Rearrange what ``jobs.simulate`` wrote.

    Args:
        landing: the folder of its lines.
        truth: the folder of its truth.
    """
    before = FIRST_DAY - timedelta(days=1)
    history, files = list[str](), dict[str, bytes]()
    for path in sorted((landing / SOURCE).rglob("*.jsonl.gz")):
        name = path.relative_to(landing).as_posix()
        if arrives_by(name, before):
            history += _lines(path.read_bytes())
        else:
            files[name] = path.read_bytes()
    catalogue = [line for path in sorted((landing / ITEMS).rglob("*.jsonl.gz")) for line in _lines(path.read_bytes())]
    part = "part-000.jsonl.gz"
    dumps = {f"{folder(SOURCE, DUMP)}/{part}": compress(history), f"{folder(ITEMS, DUMP)}/{part}": compress(catalogue)}
    planted = pq.read_table(truth / "planted").to_pylist()
    return Shop({**dumps, **files}, records([row for row in planted if row["file"] in files], files))


def _lines(content: bytes) -> list[str]:
    return gzip.decompress(content).decode("utf-8", errors="surrogateescape").splitlines()


def records(planted: Sequence[dict[str, Any]], files: dict[str, bytes]) -> list[dict[str, Any]]:
    """The planted lines in the form of ``planted.json``; a duplicate names the line that it repeats.

    Args:
        planted: rows of the simulator's truth.
        files: the files that contain them.
    """
    spoilt = {(row["file"], row["line"]) for row in planted if row["kind"] != Defect.LATE}
    genuine = {_what(event): place for place, event in _events(files) if place not in spoilt}
    written = {place: event for place, event in _events(files) if place in spoilt}
    found = []
    for row in planted:
        kind, place = Defect(row["kind"]), (row["file"], row["line"])
        entry = {
            "kind": kind.value,
            "what": kind.description,
            "expected": row["outcome"],
            "arrived_on": row["arrived_on"].isoformat(),
            "file": row["file"],
            "line": row["line"],
            "event_id": row["event_id"],
        }
        if Outcome(row["outcome"]) in (Outcome.EXACT_DUPLICATE, Outcome.NEAR_DUPLICATE):
            late_by = timedelta(seconds=1) if kind == Defect.NEAR_DUPLICATE else timedelta(0)
            file, line = genuine[_what(written[place], late_by)]
            entry["original"] = {"file": file, "line": line}
        found.append(entry)
    return found


def _events(files: dict[str, bytes]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every line that is a whole event, with its place."""
    for name, content in files.items():
        for number, line in enumerate(_lines(content), 1):
            try:
                event = json.loads(line)
                datetime.fromisoformat(event["at"])
            except (ValueError, TypeError, KeyError):
                continue  # a planted line
            yield (name, number), event


def _what(event: dict[str, Any], late_by: timedelta = timedelta(0)) -> tuple[Any, ...]:
    """What identifies a genuine line without its id: the user, the action, the item, and the time."""
    moment = datetime.fromisoformat(event["at"]) - late_by
    return event.get("user"), event.get("action"), event.get("item"), event.get("text"), moment.astimezone(UTC)
