"""Lines of a source as candidates, for the tests of the shipped mappings."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from jobs.cleaning.candidates import Arrival, Parsed, parse, wanted_fields
from jobs.landing.readers import read
from schemas.contract import load_contract
from schemas.source import load_source

KEY = b"a key of the tests"


def parsed(name: str, text: str, folder: Path, suffix: str = "csv") -> Parsed:
    """The candidates of a file, read as a history load."""
    source, events = load_source(name), load_contract("events")
    path = folder / f"part.{suffix}"
    path.write_text(text)
    arrival = Arrival(name, path.name, datetime(2030, 1, 1, tzinfo=UTC), date(2030, 1, 1), True)
    found = [parse(raw, source, KEY, arrival, events) for raw in read(path, source, wanted_fields(source))]
    return Parsed(pl.concat(p.accepted for p in found), pl.concat(p.rejected for p in found))


def reasons(found: Parsed) -> dict[int, list[str]]:
    return dict(found.rejected.select("line_number", "reasons").rows())


def kept(found: Parsed, *columns: str) -> list[tuple[Any, ...]]:
    return found.accepted.select(columns).rows()
