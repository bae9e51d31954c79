"""The names that a file has, and the places that a mapping reads although no line has them."""

import csv
import difflib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from jobs.checking.checked import Checked
from jobs.cleaning.candidates import wanted_fields
from jobs.landing.readers.json_values import Paths, exact, quick
from jobs.landing.readers.lines import numbered_lines
from jobs.landing.readers.names import names_of
from schemas.source import Source

FIRST_LINES = 500
"""Lines of a file that are searched for names."""
DEEPEST = 6
ALIKE = 0.75
"""Least similarity of a name that is proposed, as ``difflib`` measures it."""
WHOLE_ALIKE = 0.5
"""Least similarity of the whole path."""
LOOKUP = re.compile(r"\[[^\]]*=")
READER = Paths(exact)


@dataclass(frozen=True)
class Absent:
    """A place of the mapping that no line has: the column (or rule) that reads it, the path, and the most similar name."""

    column: str
    path: str
    nearest: str | None


def names_in(path: Path, source: Source) -> list[str]:
    """The names of the fields that the first lines of a file have, in their order; paths for nested ones.

    Args:
        path: the file.
        source: the mapping, which names the format.
    """
    match source.format:
        case "json_lines":
            found = [name for value in _objects(path, source.encoding) for name in _paths(value)]
            names = dict.fromkeys(name.replace("[0]", "[]") for name in found) if source.each else dict.fromkeys(found)
        case "csv":
            names = dict.fromkeys(source.fields or names_of(path, source) or _first_line(path, source))
        case "parquet":
            names = dict.fromkeys(_parquet_names(path))
        case "pattern":
            names = {}
    return list(names)


def _objects(path: Path, encoding: str) -> Iterator[Any]:
    for line in islice(numbered_lines(path, encoding), FIRST_LINES):
        with suppress(ValueError):
            yield quick(line.content)


def _paths(value: Any, above: str = "", depth: int = 0) -> Iterator[str]:
    """The paths of all scalars in a value; of a list only its first element.

    >>> list(_paths({"a": 1, "b": {"c": 2}, "d": [{"e": 3}, {"f": 4}], "text": '{"g": 5}'}))
    ['a', 'b.c', 'd[0].e', 'text.g']
    """
    value = READER.inside(value) or value
    if isinstance(value, dict) and depth < DEEPEST:
        for name, inner in value.items():
            yield from _paths(inner, f"{above}.{name}" if above else name, depth + 1)
    elif isinstance(value, list) and value and depth < DEEPEST:
        yield from _paths(value[0], f"{above}[0]", depth + 1)
    elif above:
        yield above


def _first_line(path: Path, source: Source) -> list[str]:
    """The fields of the first line, for a file without any name of the mapping."""
    for line in numbered_lines(path, source.encoding):
        text = line.content.decode(errors="replace")
        (fields,) = csv.reader([text], delimiter=source.delimiter, quotechar=source.quote)
        return [field.strip() for field in fields]
    return []


def _parquet_names(path: Path) -> list[str]:
    try:
        schema = pl.read_parquet_schema(path)
    except (pl.exceptions.PolarsError, OSError):
        return []
    return [name for column, kind in schema.items() for name in (column, *_fields_of(kind, column))]


def _fields_of(kind: pl.DataType, above: str) -> Iterator[str]:
    if isinstance(kind, pl.List):
        yield from _fields_of(kind.inner, f"{above}[0]")  # type: ignore[arg-type]
    elif isinstance(kind, pl.Struct):
        for field in kind.fields:
            yield f"{above}.{field.name}"
            yield from _fields_of(field.dtype, f"{above}.{field.name}")  # type: ignore[arg-type]


def absent(found: Checked, source: Source, names: list[str]) -> list[Absent]:
    """The places that the mapping reads and no line has.

    Args:
        found: the lines that were read.
        source: the mapping.
        names: the names that the file has.
    """
    if not found.lines or source.format == "pattern":
        return []
    places = _places(source)
    filled = {_column(field) for field in places if found.filled[field]}
    sparse = source.format == "json_lines"  # a line may lack all parts of an id but the first
    any_will_do = {
        n for n, column in source.columns.items() if column.first_of is not None or (sparse and column.paths is not None)
    }
    lacking: dict[str, Absent] = {}
    for field, place in places.items():
        column = _column(field) if _column(field) in any_will_do else field
        if not (column in filled or found.filled[field]) and place not in names:
            lacking.setdefault(column, Absent(column, place, nearest(place, names)))
    return list(lacking.values())


def _column(field: str) -> str:
    """The column of which a field is a part: ``user_id`` of ``user_id.1``."""
    name, _, part = field.rpartition(".")
    return name if part.isdigit() else field


def _places(source: Source) -> dict[str, str]:
    """Field -> its place in a line, for the fields that a line should have."""
    unasked = {f"skip.{name}" for name, rule in source.skip.items() if rule.missing}
    return {name: place for name, place in wanted_fields(source).items() if name not in unasked}


def nearest(place: str, names: list[str]) -> str | None:
    """The name whose last key is most similar to that of a place.

    Args:
        place: the path or name of the mapping.
        names: the names that the file has.

    >>> nearest("product_ID", ["who", "at", "product_id"]), nearest("prise", ["price"]), nearest("user.id", ["visitor.id"])
    ('product_id', 'price', 'visitor.id')
    >>> nearest("colour", ["who", "at"]) is None
    True
    """
    if LOOKUP.search(place):
        return None
    by_lower = {name.lower(): name for name in reversed(names)}
    if place.lower() in by_lower:
        return by_lower[place.lower()]
    by_last = {lower.rpartition(".")[2]: name for lower, name in by_lower.items()}
    alike = difflib.get_close_matches(place.lower().rpartition(".")[2], by_last, n=1, cutoff=ALIKE)
    found = by_last[alike[0]] if alike else None
    if found is None or difflib.SequenceMatcher(None, place.lower(), found.lower()).ratio() < WHOLE_ALIKE:
        return None
    return found
