"""JSON Lines: one object on each line."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from jobs.landing.readers.lines import RawLine, not_decoded, numbered_lines, text_of
from jobs.landing.readers.problems import Problem
from schemas.json_path import Element, Key, Lookup, Step, steps_of

CHUNK_LINES = 100_000
CHUNK_BYTES = 8 << 20
"""Lines that are parsed together. Both are bounded: a line may be a mebibyte long, and twenty times as large when parsed."""


def read_json_lines(
    path: Path, wanted: Mapping[str, str], lists: frozenset[str], encoding: str = "utf-8"
) -> Iterator[pl.DataFrame]:
    """The frames of a file of JSON Lines.

    Args:
        path: the file.
        wanted: field -> path of its value, as steps into nested objects and lists.
        lists: the fields that hold several texts.
        encoding: of the file.
    """
    for chunk in _chunks(numbered_lines(path, encoding)):
        yield _frame(chunk, wanted, lists, encoding)


def _chunks(lines: Iterator[RawLine]) -> Iterator[list[RawLine]]:
    chunk, size = list[RawLine](), 0
    for line in lines:
        chunk.append(line)
        size += len(line.content)
        if len(chunk) == CHUNK_LINES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _frame(chunk: list[RawLine], wanted: Mapping[str, str], lists: frozenset[str], encoding: str) -> pl.DataFrame:
    objects: list[Any] = []
    problems: list[str | None] = []
    texts: list[str | None] = []
    for _, content, problem in chunk:
        found: Any = None
        if problem is None:
            try:
                found = orjson.loads(content)
            except orjson.JSONDecodeError:
                problem = _why(content, encoding)
        objects.append(found if type(found) is dict else {})
        problems.append(problem)
        texts.append(None if problem is None else text_of(content))
    columns: dict[str, pl.Series] = {
        "line_number": pl.Series([line.number for line in chunk], dtype=pl.Int64),
        "problem": pl.Series(problems, dtype=pl.String),
        "line": pl.Series(texts, dtype=pl.String),
    }
    for name, where in wanted.items():
        get = _getter(where)
        if name in lists:
            columns[name] = pl.Series([_texts(get(o)) for o in objects], dtype=pl.List(pl.String))
        else:
            values = [get(o) for o in objects]
            columns[name] = pl.Series([v if type(v) is str else _text(v) for v in values], dtype=pl.String)
    return pl.DataFrame(columns)


def _why(content: bytes, encoding: str) -> Problem:
    try:
        content.decode()
    except UnicodeDecodeError:
        return not_decoded(encoding)
    return Problem.NOT_JSON


def _getter(where: str) -> Callable[[dict[str, Any]], Any]:
    first, *rest = steps_of(where)
    if not isinstance(first, Key):
        return lambda _: None
    name = first.name
    if not rest:
        return lambda o: o.get(name)
    takers = [_taker(step) for step in rest]

    def get(value: Any) -> Any:
        value = value.get(name)
        for take in takers:
            value = take(value)
        return value

    return get


def _taker(step: Step) -> Callable[[Any], Any]:
    """Follow a path by one step; None if the value does not have that step."""
    match step:
        case Key(name):
            return lambda v: v.get(name) if type(v) is dict else None
        case Element(number):
            return lambda v: v[number] if type(v) is list and number < len(v) else None
        case Lookup(name, text):
            return lambda v: next((e for e in _objects(v) if _text(e.get(name)) == text), None)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (element for element in value if type(element) is dict) if type(value) is list else iter(())


def _text(value: Any) -> str | None:
    """A scalar as text; None for an object or a list."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    return None


def _texts(value: Any) -> list[str] | None:
    if not isinstance(value, list):
        return None
    return [text for element in value if (text := _text(element)) is not None]
