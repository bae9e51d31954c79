"""JSON lines: one object a line."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from jobs.readers.lines import Problem, RawLine, numbered_lines, text_of

CHUNK_LINES = 100_000


def read_json_lines(path: Path, wanted: Mapping[str, str], lists: frozenset[str]) -> Iterator[pl.DataFrame]:
    """The frames of a file of JSON lines; a path's steps are keys, one in the other."""
    lines = numbered_lines(path)
    while chunk := list(islice(lines, CHUNK_LINES)):
        yield _frame(chunk, wanted, lists)


def _frame(chunk: list[RawLine], wanted: Mapping[str, str], lists: frozenset[str]) -> pl.DataFrame:
    objects: list[Any] = []
    problems: list[str | None] = []
    texts: list[str | None] = []
    for _, content, problem in chunk:
        found: Any = None
        if problem is None:
            try:
                found = orjson.loads(content)
            except orjson.JSONDecodeError:
                problem = _why(content)
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


def _why(content: bytes) -> Problem:
    try:
        content.decode()
    except UnicodeDecodeError:
        return Problem.NOT_UTF8
    return Problem.NOT_JSON


def _getter(where: str) -> Callable[[dict[str, Any]], Any]:
    first, *rest = where.split(".")
    if not rest:
        return lambda o: o.get(first)

    def get(value: Any) -> Any:
        value = value.get(first)
        for step in rest:
            value = value.get(step) if type(value) is dict else None
        return value

    return get


def _text(value: Any) -> str | None:
    """A scalar as text; an object or a list where a scalar should stand is nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    return None


def _texts(value: Any) -> list[str] | None:
    if not isinstance(value, list):
        return None
    return [text for element in value if (text := _text(element)) is not None]
