"""Try a mapping on a file: count and explain the outcomes of its lines before anything is written. Needs no Spark.

The name of the file's folder gives the arrival (``arrived=2026-11-10T14``). A file in any other folder is checked as a history
load: lateness does not apply, and events after the file's last change are rejected. A file in the folder of the catalogue is
read as the catalogue, and so is any file with ``--check-items``. Examples contain no raw user id: pseudonyms are made with a
temporary key, and shortened.

``python -m jobs.clean --check schemas/sources/shop.yaml access.log.gz``
"""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console

from jobs.checking.advice import advice
from jobs.checking.checked import EXAMPLES, MOST_LINES, Checked
from jobs.checking.items import ITEM, check_items
from jobs.checking.names import Absent, absent, names_in
from jobs.checking.tables import WORDS, show
from jobs.cleaning.accounting import changes
from jobs.cleaning.candidates import Arrival, no_candidates, wanted_fields
from jobs.cleaning.faults import parse_each
from jobs.cleaning.outcomes import Limits, decide
from jobs.cleaning.raw_columns import raw_columns
from jobs.cleaning.rejected import masked_lines, shown_fields
from jobs.cleaning.stages import is_set_aside
from jobs.landing.files import HOUR, found_file
from jobs.landing.folders import hour_of
from jobs.landing.readers import Bounds, read
from schemas.contract import load_contract
from schemas.outcomes import Outcome
from schemas.runtime.cli import parser_of, run_command
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings, get_settings
from schemas.source import Source, load_source, read_source


def check(source: Source, path: Path, settings: Settings) -> Checked:
    """Read and parse the lines of a file, at most about the first million of them, and decide their outcomes.

    Args:
        source: the mapping.
        path: the file.
        settings: the bounds of files, and the limits of users.
    """
    found = Checked()
    events, arrival, key = load_contract("events"), arrival_of(path, source), secrets.token_bytes(32)
    shown, wanted = shown_fields(source, events), wanted_fields(source)
    accepted = [no_candidates(events)]
    for raw in read(path, source, wanted, bounds=Bounds.set_by(settings)):
        parsed = parse_each(raw, source, key, arrival, events)
        found.read(raw, wanted)
        found.lines += parsed.lines
        found.records += parsed.records
        found.left_out += parsed.left_out
        found.changed.update(parsed.changed)
        accepted.append(parsed.accepted)
        if len(parsed.rejected):
            texts, _ = raw_columns(raw, source)
            found.add_rejects(parsed.rejected, texts, lambda _, rows: rows["masked_line"], events)
        if found.lines >= MOST_LINES:
            found.complete = False
            break
    decided = decide(
        pl.concat(accepted),
        **vars(Limits.of(settings)),
    ).sort("line_number")
    for outcome in WORDS:
        rows = decided.filter(pl.col("outcome") == outcome)
        found.add(outcome, rows, masked_lines(rows.head(EXAMPLES), shown))
    turned_down = decided.filter(pl.col("outcome") == Outcome.REJECT)
    found.rejects += len(turned_down)
    found.set_aside += int(is_set_aside(turned_down["reason"]).sum())
    for reason in turned_down["reason"].unique(maintain_order=True):
        rows = turned_down.filter(pl.col("reason") == reason)
        found.add(reason, rows, masked_lines(rows.head(EXAMPLES), shown))
    return found


def arrival_of(path: Path, source: Source) -> Arrival:
    """The arrival of a file, from its folder's name or else from its last change.

    Args:
        path: the file.
        source: the mapping, whose name the arrival gets.
    """
    hour = next(filter(None, (hour_of(folder.name) for folder in path.resolve().parents)), None)
    if hour is None:
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return Arrival(source.name, path.name, changed, changed.date(), True)
    file = found_file(source.name, path, path.parent, hour + HOUR)
    return Arrival(source.name, path.name, file.arrived_at, file.arrived_on, False)


def source_of(name_or_path: str) -> Source:
    """A mapping, by its name or by its file.

    Raises:
        ConfigError: the mapping does not exist or is not valid.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        return load_source(name_or_path)
    if not path.is_file():
        raise ConfigError(f"source mapping not found; at {path}; give the path of a YAML file or the name of a known source")
    return read_source(path)


def is_catalogue(source: Source, path: Path) -> bool:
    """Whether a file lies in the folder of the source's catalogue.

    Args:
        source: the mapping.
        path: the file.
    """
    hour = next((folder for folder in path.resolve().parents if hour_of(folder.name) is not None), path.resolve().parent)
    return source.items is not None and source.items.folder in (hour.name, hour.parent.name)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Check a file against a mapping."""
    parser = parser_of(
        "Show the outcome of each line of a file; writes nothing.",
        "python -m jobs.checking.check_mapping web_log access.log.gz",
    )
    parser.add_argument("source", help="a mapping: its file, or the name of a known source")
    parser.add_argument("file", type=Path, help="a file of raw lines")
    parser.add_argument("--items", action="store_true", help="read the file as the catalogue, wherever it lies")
    args = parser.parse_args(argv)
    source, path = source_of(args.source), args.file
    if not path.is_file():
        raise ConfigError(f"no such file; {path}; give the path of a file of raw lines")
    if args.items and source.items is None:
        raise ConfigError(f"the mapping describes no catalogue; {args.source}; add items: with folder and columns")
    settings = get_settings()
    read_as = check_items if args.items or is_catalogue(source, path) else check
    found = read_as(source, path, settings)
    mapped = source if found.table == "events" else source.of_catalogue
    names = names_in(path, mapped)
    lacking = absent(found, mapped, names)
    steps = advice(found, mapped, path, lacking, names)
    console = Console(stderr=True)
    show(found, source, path, steps, console if console.is_terminal else Console(stderr=True, width=128))
    return _result(found, source, path, lacking, steps)


def _result(found: Checked, source: Source, path: Path, lacking: Sequence[Absent], steps: Sequence[str]) -> dict[str, Any]:
    outcomes = {str(outcome): found.counts[outcome] for outcome in WORDS}
    if found.table == "items":
        kept = {"items": found.counts[ITEM]}
    else:
        exact, near = outcomes[Outcome.EXACT_DUPLICATE], outcomes[Outcome.NEAR_DUPLICATE]
        kept = {
            "events": outcomes[Outcome.EVENT],
            "duplicates": exact + near,
            "exact_duplicates": exact,
            "near_duplicates": near,
        }
    return {
        "source": source.name,
        "file": str(path),
        "complete": found.complete,
        "lines_read": found.lines,
        "records": found.records,
        "elements_left_out": found.left_out,
        **changes(found.changed),
        **kept,
        "rejects": found.rejects,
        "reasons": {name: count for name, count in sorted(found.counts.items()) if name not in {*outcomes, ITEM}},
        "absent": {place.column: place.path for place in lacking},
        "next": list(steps),
    }


if __name__ == "__main__":
    raise SystemExit(run_command(main))
