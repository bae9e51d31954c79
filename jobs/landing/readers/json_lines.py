"""JSON Lines: one object on each line, or, with ``each`` in the mapping, an object or a list of several events."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from jobs.landing.readers.frames import ELEMENT, LEFT_OUT, WITHIN, without_too_large
from jobs.landing.readers.json_columns import list_column, text_column
from jobs.landing.readers.json_elements import Record, expands, left_out, lists_read_by_position, units
from jobs.landing.readers.json_values import Paths, exact, quick
from jobs.landing.readers.lines import RawLine, not_decoded, numbered_lines, text_of
from jobs.landing.readers.problems import Problem
from schemas.json_path import Step, placed
from schemas.source import Source

CHUNK_LINES = 100_000
CHUNK_BYTES = 8 << 20
"""Lines that are parsed together. Both are bounded: a line may be a mebibyte long, and twenty times as large when parsed."""


def read_json_lines(path: Path, source: Source, wanted: Mapping[str, str], lists: frozenset[str]) -> Iterator[pl.DataFrame]:
    """The frames of a file of JSON Lines.

    Args:
        path: the file.
        source: the mapping, which says whether the elements of a list are events.
        wanted: field -> path of its value, as steps into nested objects and lists.
        lists: the fields that hold several texts.
    """
    places = {name: placed(where, source.each) for name, where in wanted.items()}
    by_position = lists_read_by_position(wanted, source.each)
    for lines in _chunks(numbered_lines(path, source.encoding)):
        yield _frame(_Parsed(lines, source), places, lists, by_position)


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


class _Parsed:
    """Some lines, parsed: by level the line itself and the elements of each list of ``each`` (``units``).

    Args:
        lines: the lines.
        source: the mapping.
    """

    def __init__(self, lines: list[RawLine], source: Source) -> None:
        self.lines, self.source = lines, source
        self.paths, self.exact_paths = Paths(quick), Paths(exact)
        self.problems: list[str | None] = []
        objects: list[Any] = []
        for _, content, problem in lines:
            found: Any = None
            if problem is None:
                try:
                    found = quick(content)
                except UnicodeDecodeError:
                    problem = not_decoded(source.encoding)
                except ValueError:
                    problem = Problem.NOT_JSON
                if problem is None and source.each is None and type(found) is not dict:
                    problem = Problem.NOT_AN_OBJECT
            objects.append({} if problem is not None else found)
            self.problems.append(problem)
        self.units = [objects]
        self.records: list[list[Record]] | None = None
        if source.each is not None:
            self._expand(objects)

    def _expand(self, objects: list[Any]) -> None:
        expand, depth = expands(self.source.each, self.paths), self.source.depth
        nothing = [Record(({}, *[None] * depth), (0,) * depth)]
        self.records, self.units = [], [[] for _ in range(depth + 1)]
        for at, line in enumerate(objects):
            records = nothing if self.problems[at] is not None else expand(line)
            if isinstance(records, Problem):
                self.problems[at], records = records, nothing
            self.records.append(records)
            for known, more in zip(self.units, units(records), strict=True):
                known += more

    @cached_property
    def lines_of_units(self) -> list[list[int]]:
        """By level, the index of the line of each unit."""
        if self.records is None:
            return [list(range(len(self.lines)))]
        counts = [[len(level) for level in units(records)] for records in self.records]
        return [[at for at, of_line in enumerate(counts) for _ in range(of_line[level])] for level in range(len(self.units))]

    def exactly(self, level: int, steps: tuple[Step, ...]) -> Callable[[int], Any]:
        """A function that gives the value of a unit once more, with its number as written; None if it is nested too deeply.

        Args:
            level: the level of the units.
            steps: the path of the value.
        """
        get, expand = self.exact_paths.getter(steps), expands(self.source.each, self.exact_paths)
        known: dict[int, list[Any]] = {}

        def units_of(line: int) -> list[Any]:
            try:
                records = expand(exact(self.lines[line].content.decode()))
            except ValueError:
                return []
            return [] if isinstance(records, Problem) else units(records)[level]

        def value(unit: int) -> Any:
            lines = self.lines_of_units[level]
            line = lines[unit]
            if line not in known:
                known.clear()
                known[line] = units_of(line)
            return get(known[line][unit - bisect_left(lines, line)]) if known[line] else None

        return value


def _frame(
    parsed: _Parsed,
    places: Mapping[str, tuple[int, tuple[Step, ...]]],
    lists: frozenset[str],
    by_position: Mapping[tuple[int, tuple[Step, ...]], set[int]],
) -> pl.DataFrame:
    """The frame of some lines."""
    texts = [
        None if problem is None else text_of(line.content) for problem, line in zip(parsed.problems, parsed.lines, strict=True)
    ]
    of_lines = {
        "line_number": pl.Series([line.number for line in parsed.lines], dtype=pl.Int64),
        "problem": pl.Series(parsed.problems, dtype=pl.String),
        "line": pl.Series(texts, dtype=pl.String),
    }
    if by_position:
        of_lines[LEFT_OUT] = _left_out(parsed, by_position)
    columns = {}
    for name, (level, steps) in places.items():
        values = parsed.paths.values(steps, parsed.units[level])
        if name in lists:
            columns[name] = list_column(map(parsed.paths.inside, values))
        else:
            columns[name] = text_column(name, values, parsed.exactly(level, steps), parsed.source.decimal)
    if parsed.records is None:
        return pl.DataFrame({**of_lines, **columns})
    return _of_elements(parsed, of_lines, columns, {name: level for name, (level, _) in places.items()})


def _left_out(parsed: _Parsed, by_position: Mapping[tuple[int, tuple[Step, ...]], set[int]]) -> pl.Series:
    counts = [0] * len(parsed.lines)
    for (level, steps), positions in by_position.items():
        get, inside = parsed.paths.getter(steps), parsed.paths.inside
        for line, unit in zip(parsed.lines_of_units[level], parsed.units[level], strict=True):
            counts[line] += left_out(inside(get(unit)), positions)
    return pl.Series(counts, dtype=pl.Int64)


def _of_elements(
    parsed: _Parsed, of_lines: Mapping[str, pl.Series], columns: Mapping[str, pl.Series], levels: Mapping[str, int]
) -> pl.DataFrame:
    """The frame with a row for each element, which also gets the values of its line."""
    assert parsed.records is not None
    rows_of: list[list[int]] = [[] for _ in parsed.units]
    """By level, the unit of each row."""
    element, within = list[int](), list[str | None]()
    for records in parsed.records:
        before: tuple[int, ...] | None = None
        for number, (_, numbers) in enumerate(records, 1):
            for level, of_level in enumerate(rows_of):
                again = before is not None and numbers[:level] == before[:level]
                of_level.append((of_level[-1] if of_level else -1) + (not again))
            before = numbers
            element.append(number if numbers[0] else 0)
            inner = numbers[parsed.source.id_level :]
            within.append(".".join(map(str, inner)) if any(inner) else None)
    frame = pl.DataFrame(
        {
            **{name: column.gather(rows_of[0]) for name, column in of_lines.items()},
            ELEMENT: pl.Series(element, dtype=pl.Int32),
            WITHIN: pl.Series(within, dtype=pl.String),
            **{name: column.gather(rows_of[levels[name]]) for name, column in columns.items()},
        }
    )
    if LEFT_OUT in frame.columns:
        frame = frame.with_columns(pl.when(pl.col(ELEMENT) <= 1).then(LEFT_OUT).otherwise(0).alias(LEFT_OUT))
    shared = [name for name, level in levels.items() if level < parsed.source.depth]
    contents = {line.number: line.content for line in parsed.lines}
    return without_too_large(frame, shared, lambda number: text_of(contents[number]))
