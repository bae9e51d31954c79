"""Try a mapping on a file: count and explain the outcomes of its lines before anything is written. Needs no Spark.

The name of the file's folder gives the arrival (``arrived=2026-11-10T14``). A file in any other folder is checked as a history
load: lateness does not apply, and events after the file's last change are rejected. Examples contain no raw user id: pseudonyms
are made with a temporary key, and shortened.

``python -m jobs.clean --check schemas/sources/shop.yaml access.log.gz``
"""

import argparse
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

from jobs.cleaning.candidates import Arrival, masked_lines, no_candidates, parse, shown_fields, wanted_fields
from jobs.cleaning.outcomes import Limits, decide
from jobs.cleaning.reject_reasons import sentence
from jobs.landing.files import HOUR, found_file
from jobs.landing.folders import FOLDER_FORMAT
from jobs.landing.readers import Bounds, read
from schemas.contract import load_contract
from schemas.outcomes import Outcome
from schemas.privacy.pseudonyms import shortened
from schemas.runtime.cli import run_command
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings, get_settings
from schemas.runtime.terminal import literal
from schemas.source import Source, load_source, read_source

EXAMPLES = 5
MOST_LINES = 1_000_000
LONGEST_EXAMPLE = 400
WORDS = {
    Outcome.EVENT: "kept as an event",
    Outcome.EXACT_DUPLICATE: "a copy of an earlier event",
    Outcome.NEAR_DUPLICATE: "the same behaviour repeated within seconds",
}


@dataclass
class Checked:
    """The outcomes of the lines of a file: counts by outcome (for a reject: by reason), and examples as (line, text)."""

    lines: int = 0
    records: int = 0
    left_out: int = 0
    """Elements of lists of events that the mapping does not read."""
    rejects: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    complete: bool = True

    def add(self, outcome: str, rows: pl.DataFrame, shown: list[str] | None = None) -> None:
        """Count rows, and keep the first as examples.

        Args:
            outcome: the outcome, or the reason of a reject.
            rows: candidates.
            shown: the columns to show in examples; without it their ``masked_line``.
        """
        self.counts[outcome] += len(rows)
        some = self.examples.setdefault(outcome, [])
        first = rows.head(EXAMPLES - len(some))
        texts = first["masked_line"] if shown is None else masked_lines(first, shown)
        for number, text in zip(first["line_number"], texts, strict=True):
            some.append((number, shortened(text or "")[:LONGEST_EXAMPLE]))


def check(source: Source, path: Path, settings: Settings) -> Checked:
    """Read and parse the lines of a file, at most about the first million of them, and decide their outcomes."""
    found = Checked()
    events, arrival, key = load_contract("events"), arrival_of(path, source), secrets.token_bytes(32)
    shown = shown_fields(source, events)
    accepted = [no_candidates(events)]
    for raw in read(path, source, wanted_fields(source), bounds=Bounds.set_by(settings)):
        parsed = parse(raw, source, key, arrival, events)
        found.lines += parsed.lines
        found.records += parsed.records
        found.left_out += parsed.left_out
        found.rejects += len(parsed.rejected)
        accepted.append(parsed.accepted)
        for reason in parsed.rejected["reasons"].explode().unique(maintain_order=True).drop_nulls():
            found.add(reason, parsed.rejected.filter(pl.col("reasons").list.contains(reason)))
        if found.lines >= MOST_LINES:
            found.complete = False
            break
    decided = decide(
        pl.concat(accepted),
        **vars(Limits.of(settings)),
    ).sort("line_number")
    for outcome in WORDS:
        found.add(outcome, decided.filter(pl.col("outcome") == outcome), shown)
    turned_down = decided.filter(pl.col("outcome") == Outcome.REJECT)
    found.rejects += len(turned_down)
    for reason in turned_down["reason"].unique(maintain_order=True):
        found.add(reason, turned_down.filter(pl.col("reason") == reason), shown)
    return found


def arrival_of(path: Path, source: Source) -> Arrival:
    """The arrival of a file, from its folder's name or else from its last change.

    Args:
        path: the file.
        source: the mapping, whose name the arrival gets.
    """
    try:
        hour = datetime.strptime(path.resolve().parent.name, FOLDER_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return Arrival(source.name, path.name, changed, changed.date(), True)
    file = found_file(source.name, path, path.parent, hour + HOUR)
    return Arrival(source.name, path.name, file.arrived_at, file.arrived_on, False)


def show(found: Checked, source: Source, path: Path, console: Console) -> None:
    """Print the outcomes as a table, and below it example lines of each.

    Args:
        found: the outcomes.
        source: the mapping; it explains its own rules.
        path: the file, for the title.
        console: where to print.
    """
    events = load_contract("events")
    words = {str(outcome): text for outcome, text in WORDS.items()}
    outcomes = [str(outcome) for outcome in WORDS if found.counts[outcome]]
    outcomes += [name for name, _ in found.counts.most_common() if name not in words]
    what = "" if found.complete else " (the first of the file)"
    records = "" if found.records == found.lines else f", {found.records:,} records"
    title = f"{path.name} as {source.name}: {found.lines:,} lines{records}{what}"
    table = Table(title=literal(title), title_justify="left")
    for name, justify in (("outcome", "left"), ("lines", "right"), ("share", "right"), ("in words", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for name in outcomes:
        share = f"{100 * found.counts[name] / max(1, found.records):.1f} %"
        in_words = words.get(name) or sentence(name, source, events)
        table.add_row(literal(name), f"{found.counts[name]:,}", share, literal(in_words))
    console.print(table)
    examples = Table(title="Examples", title_justify="left")
    for name in ("outcome", "line", "masked line"):
        examples.add_column(name, overflow="fold", justify="right" if name == "line" else "left")
    for name in outcomes:
        for at, (number, text) in enumerate(found.examples[name]):
            last = at == len(found.examples[name]) - 1
            examples.add_row(literal("" if at else name), str(number), literal(text), end_section=last)
    console.print(examples)
    if found.left_out:
        console.print(
            literal(
                f"{found.left_out:,} elements of lists are left out, because paths such as items[0] read one of them; "
                'each: "items[]" in the mapping makes an event of each element'
            )
        )


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


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Check a file against a mapping."""
    parser = argparse.ArgumentParser(description="Show the outcome of each line of a file; writes nothing.")
    parser.add_argument("source", help="a mapping: its file, or the name of a known source")
    parser.add_argument("file", type=Path, help="a file of raw lines")
    args = parser.parse_args(argv)
    source = source_of(args.source)
    if not args.file.is_file():
        raise ConfigError(f"no such file; {args.file}; give the path of a file of raw lines")
    found = check(source, args.file, get_settings())
    console = Console(stderr=True)
    show(found, source, args.file, console if console.is_terminal else Console(stderr=True, width=128))
    outcomes = {str(outcome): found.counts[outcome] for outcome in WORDS}
    return {
        "source": source.name,
        "file": str(args.file),
        "complete": found.complete,
        "lines_read": found.lines,
        "records": found.records,
        "elements_left_out": found.left_out,
        "events": outcomes[Outcome.EVENT],
        "rejects": found.rejects,
        "duplicates": outcomes[Outcome.EXACT_DUPLICATE] + outcomes[Outcome.NEAR_DUPLICATE],
        "exact_duplicates": outcomes[Outcome.EXACT_DUPLICATE],
        "near_duplicates": outcomes[Outcome.NEAR_DUPLICATE],
        "reasons": {name: count for name, count in sorted(found.counts.items()) if name not in outcomes},
    }


if __name__ == "__main__":
    raise SystemExit(run_command(main))
