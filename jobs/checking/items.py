"""The outcomes of the lines of a catalogue file, as ``jobs.items`` reads them."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from jobs.catalogue.stages import PERSONAL, lists_among, parse_each_item
from jobs.checking.checked import EXAMPLES, MOST_LINES, Checked
from jobs.cleaning.candidates import wanted_fields
from jobs.cleaning.rejected import masked_lines
from jobs.landing.files import found_file
from jobs.landing.readers import Bounds, read
from jobs.landing.readers.frames import ELEMENT
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
    lists, columns = lists_among(wanted, contract), list(source.items.columns)

    def shown(reason: str, rows: pl.DataFrame) -> pl.Series:
        """A line with personal data shows nothing."""
        return pl.Series([""] * len(rows)) if reason.endswith(f".{PERSONAL}") else masked_lines(rows, columns)

    for raw in read(path, source.of_catalogue, wanted, lists, bounds=Bounds.set_by(settings)):
        rows, changed = parse_each_item(raw, source, file.arrived_on, file, contract)
        found.changed.update(changed)
        found.read(raw, wanted)
        found.lines += len(rows)
        found.records += len(rows)
        sound = rows.filter(pl.col("reasons").list.len() == 0)
        found.add(ITEM, sound, masked_lines(sound.head(EXAMPLES), columns))
        one = pl.lit(0, pl.Int32).alias(ELEMENT)
        rejected = rows.filter(pl.col("reasons").list.len() > 0).with_columns(one)
        found.add_rejects(rejected, raw.with_columns(one), shown, contract)
        if found.lines >= MOST_LINES:
            found.complete = False
            break
    return found
