"""The outcomes of the lines of a catalogue file, as ``jobs.items`` reads them."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import polars as pl

from jobs.catalogue.stages import PERSONAL, lists_of, parse_items
from jobs.checking.checked import EXAMPLES, MOST_LINES, Checked
from jobs.cleaning.candidates import wanted_fields
from jobs.cleaning.faults import in_parts
from jobs.cleaning.rejected import masked_lines
from jobs.landing.files import found_file
from jobs.landing.readers import Bounds, read
from schemas.contract import load_contract
from schemas.runtime.settings import Settings
from schemas.source import Source

ITEM = "item"


def check_items(source: Source, path: Path, settings: Settings) -> Checked:
    """Read the lines of a catalogue file, at most about the first million of them, and decide their outcomes.

    Args:
        source: the mapping, with a catalogue.
        path: the file.
        settings: the bounds of files.
    """
    assert source.items is not None
    found, contract = Checked(table="items"), load_contract("items")
    file = found_file(source.name, path, path.parent, datetime.fromtimestamp(path.stat().st_mtime, UTC))
    wanted = wanted_fields(source.of_catalogue)
    lists = frozenset(name for name in wanted if name.split(".")[0] in lists_of(contract))
    for raw in read(path, source.of_catalogue, wanted, lists, bounds=Bounds.set_by(settings)):
        parse = partial(parse_items, source=source, as_of=file.arrived_on, file=file, contract=contract, changed=found.changed)
        rows = pl.concat(in_parts(raw, parse, file.relative))
        found.read(raw, wanted)
        found.lines += len(rows)
        found.records += len(rows)
        sound = rows.filter(pl.col("reasons").list.len() == 0)
        found.add(ITEM, sound, masked_lines(sound.head(EXAMPLES), list(source.items.columns)))
        _add_rejects(found, rows.filter(pl.col("reasons").list.len() > 0), raw, list(source.items.columns))
        if found.lines >= MOST_LINES:
            found.complete = False
            break
    return found


def _add_rejects(found: Checked, rejected: pl.DataFrame, raw: pl.DataFrame, shown: list[str]) -> None:
    """Count the rejects of a frame by reason; those with personal data show nothing."""
    found.rejects += len(rejected)
    for reason in rejected["reasons"].explode().unique(maintain_order=True).drop_nulls():
        rows = rejected.filter(pl.col("reasons").list.contains(reason))
        column, _, what = reason.partition(".")
        texts = pl.Series([""] * len(rows), dtype=pl.String) if what == PERSONAL else masked_lines(rows, shown)
        found.add(reason, rows, texts)
        of_reason = raw.filter(pl.col("line_number").is_in(rows["line_number"].implode()))
        found.keep_cause(reason, of_reason[column if column in raw.columns else "line"])
