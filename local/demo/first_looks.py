"""What there is to look at while the demonstration runs: the check of each source, and the first tables of a day."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from rich.console import Console

from local.demo.measurements import accounts
from local.demo.plan import NAMES
from local.stack.commands import result, start
from schemas.lake.lake import Lake
from schemas.publishing.audit_record import read_audit
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.terminal import literal


def file_with_most_defects(planted: Sequence[dict[str, Any]], day: date) -> str:
    """The file of a day in which most kinds of defects were planted, relative to the landing zone.

    >>> lines = [{"file": file, "kind": kind, "arrived_on": "1998-04-16"} for file, kind in ["ax", "ay", "bx"]]
    >>> file_with_most_defects(lines, date(1998, 4, 16))
    'a'

    Args:
        planted: entries of ``planted.json`` or ``shop.json``.
        day: the arrival day.
    """
    kinds: dict[str, set[str]] = {}
    for line in planted:
        if line["arrived_on"] == str(day):
            kinds.setdefault(line["file"], set()).add(line["kind"])
    return max(sorted(kinds), key=lambda file: len(kinds[file]))


def show_checks(landing: Path, truths: dict[str, Path], day: date, console: Console) -> None:
    """Check one file of each source with ``jobs.clean --check``, and print its outcomes in a line each.

    Args:
        landing: the landing zone.
        truths: by source, the record of its planted lines.
        day: the arrival day of the files.
        console: receives the lines.
    """
    files = {
        source: file_with_most_defects(json.loads(path.read_text(encoding="utf-8"))["defects"], day)
        for source, path in truths.items()
    }
    running = {
        source: start("jobs.clean", ["--check", f"schemas/sources/{source}.yaml", str(landing / file)])
        for source, file in files.items()
    }
    for source, process in running.items():
        found = result("jobs.clean", process)
        console.print(literal(f"  checked {files[source]} ({NAMES[source]}), as jobs.clean --check does:"))
        for line in outcomes(found):
            console.print(literal(f"    {line}"))


def outcomes(found: dict[str, Any]) -> list[str]:
    """The result of a check, in a line for each outcome.

    >>> outcomes({"lines_read": 9, "events": 7, "duplicates": 1, "rejects": 1, "reasons": {"line.not_json": 1}})
    ['9 lines read', '7 events', '1 duplicates', '1 rejects: line.not_json 1']
    """
    reasons = ", ".join(f"{reason} {count}" for reason, count in found["reasons"].items())
    rejects = f"{found['rejects']:,} rejects" + (f": {reasons}" if reasons else "")
    return [
        f"{found['lines_read']:,} lines read",
        f"{found['events']:,} events",
        f"{found['duplicates']:,} duplicates",
        rejects,
    ]


class FirstTables:
    """Prints the tables of a day once, as soon as they are published.

    Args:
        lake: the lake.
        console: receives the lines.
    """

    def __init__(self, lake: Lake, console: Console) -> None:
        self.lake, self.console = lake, console
        self._shown: set[date] = set()

    def show(self, day: date) -> None:
        """Print the counts of an arrival day, if they are published and were not printed yet."""
        if day in self._shown or day not in self.lake.partitions("events", "arrived_on"):
            return
        line = next((line for line in accounts(self.lake) if line["arrived_on"] == str(day)), None)
        if line is None:
            return
        self._shown.add(day)
        for text in self._told(day, line):
            self.console.print(literal(f"  {text}"))

    def _told(self, day: date, line: dict[str, Any]) -> list[str]:
        events = self.lake.arrow("events", f"arrived_on = '{day}'", columns=["source", "event_type"])
        kinds = Counter(zip(events["source"].to_pylist(), events["event_type"].to_pylist(), strict=True))
        rejects = self.lake.arrow("rejects", f"arrived_on = '{day}'", columns=["reasons"])["reasons"]
        reasons = Counter(pc.list_flatten(rejects.combine_chunks()).to_pylist())
        told = [
            f"published for {day}: {line['lines']:,} lines = {line['events']:,} events + {line['rejects']:,} rejects + "
            f"{line['duplicates']:,} duplicates"
        ]
        for source in sorted({source for source, _ in kinds}):
            of_source = ", ".join(f"{count:,} {kind}" for (own, kind), count in kinds.most_common() if own == source)
            told.append(f"  events of {NAMES.get(source, source)}: {of_source}")
        if reasons:
            told.append("  rejects: " + ", ".join(f"{reason} {count}" for reason, count in reasons.most_common()))
        if page := self._audit(line["run"]):
            told.append(f"  its audit: {page}")
        return told

    def _audit(self, run: str) -> str | None:
        try:
            return str(read_audit("clean", run).docs)
        except ClickwrightError:  # removed since
            return None
