"""Lines a second of each landing format, in this checkout and in another one, alternating: from a file to candidate events.

Both read the same files with the same mappings, each in a process of its own. The processor time of the best round counts: work
of others on the machine makes a round slower, and never quicker.

``git worktree add /tmp/before main; python -m tests.benchmarks.reading --before /tmp/before``
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
COLUMNS = """
columns:
  event_id: {path: id}
  user_id: {path: who}
  event_type: {path: what}
  event_time: {path: at}
  item_id: {path: item}
  value: {path: price, minimum: 0}
  device: {path: device}
  surface: {path: page}
event_types: {seen: view, basket: cart, bought: purchase}
skip: {internal: {path: who, pattern: "^staff-", why: our own staff}}
robots: {path: agent, pattern: "(?i)bot|crawler|spider"}
"""
PATTERN = (
    r"(?P<id>\S+) (?P<who>\S+) \[(?P<at>[^\]]+)\] (?P<what>\S+) (?P<item>\S+) (?P<price>\S+) (?P<device>\S+) "
    r'"(?P<page>[^"]*)" "(?P<agent>[^"]*)"'
)
MAPPINGS = {
    "json_lines": COLUMNS,
    "csv": COLUMNS,
    "pattern": f"pattern: '{PATTERN}'{COLUMNS}",
    "parquet": COLUMNS,
}
AGENTS = ("Mozilla/5.0 (X11; Linux x86_64) Firefox/124.0", "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "ExampleBot/1.0")


def rows(number: int) -> list[dict[str, Any]]:
    """Made-up events, the same for the same number."""
    chosen = random.Random(17)
    return [
        {
            "id": f"e{at:08d}",
            "who": f"visitor-{chosen.randrange(number // 20 + 1):07d}",
            "what": chosen.choice(("seen", "seen", "seen", "basket", "bought")),
            "at": (START + timedelta(milliseconds=40 * at)).isoformat(),
            "item": f"p{chosen.randrange(5_000):05d}",
            "price": chosen.randrange(100, 90_000) / 100,
            "device": chosen.choice(("mobile", "desktop", "tablet")),
            "page": f"/list/{chosen.randrange(400)}",
            "agent": AGENTS[2] if at % 50 == 0 else AGENTS[at % 2],
        }
        for at in range(number)
    ]


def write_files(folder: Path, number: int) -> None:
    """A file and a mapping of each format.

    Args:
        folder: where to write them.
        number: how many lines each file has.
    """
    import polars as pl

    made = rows(number)
    frame = pl.DataFrame(made)
    frame.write_csv(folder / "csv.txt")
    frame.with_columns(pl.col("at").str.to_datetime(time_zone="UTC")).write_parquet(folder / "parquet.txt")
    (folder / "json_lines.txt").write_text("".join(json.dumps(row) + "\n" for row in made))
    form = '{id} {who} [{at}] {what} {item} {price} {device} "{page}" "{agent}"\n'
    (folder / "pattern.txt").write_text("".join(form.format(**row) for row in made))
    for name, mapping in MAPPINGS.items():
        (folder / f"{name}.yaml").write_text(f"name: bench\nformat: {name}\n{mapping}")


def processor_seconds(folder: Path, name: str) -> tuple[int, float]:
    """How many candidates a file gives, and the processor time of reading and parsing it; the second of two runs counts.

    Args:
        folder: the folder of the file and its mapping.
        name: the format.
    """
    from jobs.cleaning.candidates import Arrival, parse, wanted_fields
    from jobs.landing.readers import read
    from schemas.contract import load_contract
    from schemas.source import read_source

    source, events = read_source(folder / f"{name}.yaml"), load_contract("events")
    arrival = Arrival("bench", "file", datetime(2030, 1, 1, tzinfo=UTC), date(2030, 1, 1), True)
    for _ in range(2):
        found, began = 0, time.process_time()
        for raw in read(folder / f"{name}.txt", source, wanted_fields(source)):
            found += len(parse(raw, source, b"a key of the benchmark", arrival, events).accepted)
        took = time.process_time() - began
    return found, took


def measured(checkout: Path, folder: Path, name: str) -> tuple[int, float]:
    """The result of :func:`processor_seconds` with the code of a checkout.

    Args:
        checkout: the checkout.
        folder: the folder of the files.
        name: the format.
    """
    environment = os.environ | {"PYTHONPATH": str(checkout), "POLARS_MAX_THREADS": "1", "PYTHONHASHSEED": "0"}
    command = [sys.executable, str(Path(__file__).resolve()), "--worker", str(folder), name]
    done = subprocess.run(command, env=environment, cwd=checkout, check=True, capture_output=True, text=True)
    found, took = json.loads(done.stdout.splitlines()[-1])
    return found, took


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure all formats, and print a table."""
    parser = argparse.ArgumentParser(description="Lines a second of each landing format, here and in another checkout.")
    parser.add_argument("--before", type=Path, required=True, help="the other checkout")
    parser.add_argument("--lines", type=int, default=200_000, help="lines of each file")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--formats", nargs="*", default=list(MAPPINGS), choices=list(MAPPINGS))
    args = parser.parse_args(argv)
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        write_files(folder, args.lines)
        print(f"{'format':<12} {'before':>12} {'now':>12} {'change':>8}   lines a second of processor time")
        for name in args.formats:
            seconds: dict[Path, list[float]] = {args.before.resolve(): [], ROOT: []}
            for number in range(args.rounds):
                for checkout in sorted(seconds, reverse=bool(number % 2)):
                    found, took = measured(checkout, folder, name)
                    seconds[checkout].append(took)
            before, now = seconds.values()
            change = min(before) / min(now) - 1
            speeds = [args.lines / min(times) for times in (before, now)]
            print(f"{name:<12} {speeds[0]:>12,.0f} {speeds[1]:>12,.0f} {change:>+8.1%}   {found} events", flush=True)
            result[name] = {"before": round(speeds[0]), "now": round(speeds[1]), "change": round(change, 4)}
    return result


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(processor_seconds(Path(sys.argv[2]), sys.argv[3])))
        sys.exit()
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
