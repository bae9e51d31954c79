"""The tables of the benchmark: medians, with the minimum and maximum in brackets."""

import json
import statistics
import subprocess
from importlib.metadata import version
from itertools import groupby

from tests.benchmarks.registry import PEERS
from tests.benchmarks.rows import COMPARE, GROWTH, PLAN, PUBLISH, SKEW, START_UP, Book, Row

RULE_1 = "supports only rule 1"
GROWTH_LIMIT = 1.3
PUBLISH_GOAL, PLAN_GOAL = 10.0, 1.0
"""Seconds."""


def tables(book: Book, events: int) -> str:
    """All tables, as Markdown."""
    sizes = sorted({row.events for row in book.of(COMPARE)}, key=lambda n: (n != events, -n))
    parts = [f"Versions: {versions()}."]
    parts += [comparison(book, size) for size in sizes]
    parts += [growth(book), skewed(book), lake_costs(book)]
    return "\n\n".join(part for part in parts if part)


def versions() -> str:
    ours = {name: version(name) for name in ("pyspark", "polars", "pyarrow")}
    ask = "import json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in ('duckdb', 'replay-rec')}))"
    if PEERS.exists():
        ours |= json.loads(subprocess.run([str(PEERS), "-c", ask], check=True, capture_output=True).stdout)
    return ", ".join(f"{name} {number}" for name, number in ours.items())


def spread(values: list[float], form: str = ".1f") -> str:
    if not values:
        return "–"
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:{form}}" + (f" ({low:{form}}–{high:{form}})" if len(values) > 1 else "")


def table(head: list[str], lines: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]

    def line(cells: list[str]) -> str:
        first, *rest = [f"{c:<{w}}" if i == 0 else f"{c:>{w}}" for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return "| " + " | ".join([first, *rest]) + " |"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return "\n".join([line(head), rule, *map(line, lines)])


def comparison(book: Book, events: int) -> str:
    """All engines on one input."""
    lines = []
    rows = sorted(book.of(COMPARE, events=events), key=lambda row: row.engine)
    for engine, group in groupby(rows, key=lambda row: row.engine):
        found = list(group)
        done = [row for row in found if not row.failed]
        start = [row.cpu_seconds for row in book.of(START_UP, engine) if row.cpu_seconds and not row.failed]
        said = verdict(found)
        lines.append(
            [engine, spread(cpu(done)), spread(ratios(done), ".2f"), spread(start), spread(wall(done)), peak(done), said]
        )
    lines.sort(key=lambda line: (line[2] == "–", float(line[2].split()[0]) if line[2] != "–" else 0))
    head = ["engine", "CPU seconds", "× Clickwright", "start-up, CPU s", "wall seconds", "peak MB", "rows"]
    return f"{events:,} genuine events, two cores\n\n{table(head, lines)}"


def verdict(rows: list[Row]) -> str:
    """The worst result of the checks."""
    said = sorted({row.failed or row.checked or "" for row in rows}, key=lambda text: "WRONG" not in text)
    return f"{said[0]}, {RULE_1}" if "rule 1" in said[0] else said[0]


def cpu(rows: list[Row]) -> list[float]:
    return [row.cpu_seconds for row in rows if row.cpu_seconds is not None]


def wall(rows: list[Row]) -> list[float]:
    return [row.wall_seconds for row in rows if row.wall_seconds is not None]


def ratios(rows: list[Row]) -> list[float]:
    return [row.ratio for row in rows if row.ratio is not None]


def peak(rows: list[Row]) -> str:
    return spread([row.peak_mb for row in rows if row.peak_mb is not None], ",.0f")


def growth(book: Book) -> str:
    """Clickwright on growing inputs."""
    lines = []
    for events in sorted({row.events for row in book.of(GROWTH)}):
        rows = book.of(GROWTH, events=events)
        a_million = [seconds / (events / 1e6) for seconds in cpu(rows)]
        lines.append(
            [f"{events:,}", spread(cpu(rows)), spread(a_million, ".2f"), spread(wall(rows)), peak(rows), verdict(rows)]
        )
    head = ["events", "CPU seconds", "CPU s per million", "wall seconds", "peak MB", "rows"]
    return f"Growth of clickwright\n\n{table(head, lines)}" if lines else ""


def skewed(book: Book) -> str:
    """One user with 1 % of the events: the slowest and the median task of the second stage."""
    lines = []
    rows = sorted(book.of(SKEW), key=lambda row: (row.events, row.engine))
    for (events, engine), group in groupby(rows, key=lambda row: (row.events, row.engine)):
        found = [row for row in group if not row.failed]
        seconds = [row.notes["task_seconds"] for row in found]
        ratio = [max(tasks) / statistics.median(tasks) for tasks in seconds]
        aside = {row.notes["set_aside"] for row in found}
        most, usual = [max(tasks) for tasks in seconds], [statistics.median(tasks) for tasks in seconds]
        told = [f"{events:,}", engine, spread(most, ".2f"), spread(usual, ".2f"), spread(ratio, ".2f")]
        lines.append([*told, ", ".join(f"{n:,}" for n in sorted(aside)), verdict(found) if found else "–"])
    head = ["events", "one user with 1 % of them", "slowest task, s", "median task, s", "slowest / median", "set aside", "rows"]
    return f"Skew\n\n{table(head, lines)}" if lines else ""


def lake_costs(book: Book) -> str:
    """Publishing a partition of many files, without the reading of footers, and planning a read of one day of many."""
    lines = []
    for what, goal, told in ((PUBLISH, PUBLISH_GOAL, "publish one day in {:,} files"), (PLAN, PLAN_GOAL, "plan a day of {:,}")):
        for events in sorted({row.events for row in book.of(what)}):
            rows = book.of(what, events=events)
            footers = [row.notes.get("footers_seconds", 0.0) for row in rows]
            rest = [seconds - less for seconds, less in zip(wall(rows), footers, strict=True)]
            held = "yes" if max(rest) < goal else "NO"
            of_footers = spread(footers, ".2f") if what == PUBLISH else "–"
            lines.append([told.format(events), spread(wall(rows), ".2f"), of_footers, spread(rest, ".2f"), f"{goal:g}", held])
    head = ["the lake", "wall seconds", "of which footers", "rest", "goal", "met"]
    return f"The lake\n\n{table(head, lines)}" if lines else ""
