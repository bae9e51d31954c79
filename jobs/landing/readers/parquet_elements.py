"""Parquet rows of which each element of a list is an event: the lists are exploded, with the meaning that they have in JSON.

See :mod:`jobs.landing.readers.json_elements`: a row without the list, or with an empty one, is one record whose element is
missing, and a null in a list is not an element. A map is a list of its keys and values.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from jobs.landing.readers.arrow_types import entries_of
from jobs.landing.readers.frames import ELEMENT, LEFT_OUT, WITHIN, without_too_large
from jobs.landing.readers.json_elements import lists_read_by_position
from jobs.landing.readers.parquet_values import (
    BAD,
    Found,
    field_values,
    first_column,
    follow,
    follow_row,
    inner_kind,
    plain_frame,
    value_at,
)
from jobs.landing.readers.problems import Problem
from schemas.json_path import lists_of, placed
from schemas.source import Source

MOST_ELEMENTS = 1 << 18
"""The most elements of one row, and about the most of the rows that are exploded together."""
UNIT, LIST = "_unit", "_list"


class _Level(NamedTuple):
    """What each unit of a level (the row, or an element of a list) gives."""

    fields: dict[str, pl.Expr]
    by_position: list[tuple[pl.Expr, set[int]]]
    """The lists of which paths read elements by their position, and the positions."""


class _Units(NamedTuple):
    """The units of a level: their values, the unit of the level before and the number in its list; 0 if there is none."""

    frame: pl.DataFrame
    parents: np.ndarray
    numbers: np.ndarray


class Elements:
    """The records of rows.

    Args:
        schema: the columns of the file.
        wanted: field -> path of its value.
        lists: the fields that hold several texts.
        source: the mapping, whose ``each`` names the lists.
    """

    def __init__(self, schema: pl.Schema, wanted: Mapping[str, str], lists: frozenset[str], source: Source) -> None:
        self.source, self.names, self.lists = source, list(wanted), list[Found]()
        self.column = first_column(schema, lists_of(source.each or "")[0])
        """The column of the file that holds the lists; None if the file lacks it."""
        kinds: list[pl.DataType] = [pl.Null()]
        for level, steps in enumerate(lists_of(source.each or "")):
            found = follow_row(schema, steps) if level == 0 else follow(pl.col(UNIT), kinds[-1], steps)
            self.lists.append(found)
            kinds.append(inner_kind(found[1]))
        self.levels = [_Level({}, []) for _ in kinds]
        for name, where in wanted.items():
            level, steps = placed(where, source.each) if where not in schema else (0, ())
            found = value_at(where, schema) if level == 0 else follow(pl.col(UNIT), kinds[level], steps)
            self.levels[level].fields[name] = field_values(name, *found, name in lists)
        by_path = {name: where for name, where in wanted.items() if where not in schema}
        for (level, steps), positions in lists_read_by_position(by_path, source.each).items():
            value, kind = follow_row(schema, steps) if level == 0 else follow(pl.col(UNIT), kinds[level], steps)
            if value is not None and isinstance(kind, pl.List):
                self.levels[level].by_position.append((value, positions))

    def frame(self, rows: pa.RecordBatch) -> pl.DataFrame:
        """The frame of some rows, with their indices from 0 as line numbers."""
        plain = plain_frame(rows)
        problems = np.full(len(plain), None, dtype=object)
        problems[plain[BAD].to_numpy()] = str(Problem.NOT_UTF8)
        units = self._units(plain, problems)
        while units is None:  # rows with a problem have no elements
            units = self._units(plain, problems)
        return self._records(units, problems)

    def _units(self, rows: pl.DataFrame, problems: np.ndarray) -> list[_Units] | None:
        """The units of every level; None if a row was found that has a problem, which is then among them."""
        of_rows = np.arange(len(rows))
        units = [_Units(rows, of_rows, of_rows)]
        for value, kind in self.lists:
            found = units[-1].frame.with_columns((pl.lit(None) if value is None else value).alias(LIST))[LIST]
            if len(units) == 1:
                found = found.zip_with(pl.Series(problems, dtype=pl.String).is_null(), pl.Series([None], dtype=found.dtype))
            if not isinstance(kind, pl.List):
                wrong = of_rows[found.is_not_null().to_numpy()]
                if len(wrong):
                    problems[wrong] = str(Problem.NOT_A_LIST)
                    return None
                found = pl.Series([None] * len(found), dtype=pl.List(pl.Null))
            lengths = found.list.len().fill_null(0).cast(pl.Int64).to_numpy()
            too_many = np.bincount(of_rows, lengths, len(rows)) > MOST_ELEMENTS
            if too_many.any():
                problems[too_many] = str(Problem.TOO_MANY_ELEMENTS)
                return None
            units.append(_exploded(found, lengths))
            of_rows = of_rows[units[-1].parents]
        return units

    def _records(self, units: list[_Units], problems: np.ndarray) -> pl.DataFrame:
        """A row for each unit of the innermost level, which also gets the values of the units around it."""
        at = [np.arange(len(units[-1].frame))]
        numbers = list[np.ndarray]()
        for unit in reversed(units[1:]):
            numbers.insert(0, unit.numbers[at[0]])
            at.insert(0, unit.parents[at[0]])
        first = np.searchsorted(at[0], np.arange(len(problems)))
        element = np.where(numbers[0] > 0, np.arange(len(at[0])) - first[at[0]] + 1, 0)
        columns = dict[str, pl.Series]()
        for level, unit, where in zip(self.levels, units, at, strict=True):
            found = unit.frame.with_columns(**level.fields)
            columns |= {name: found[name].gather(where) for name in level.fields}
        problem = pl.Series(problems[at[0]], dtype=pl.String)
        frame = pl.DataFrame(
            {
                "line_number": pl.Series(at[0], dtype=pl.Int64),
                "problem": problem,
                "line": pl.Series([None] * len(element), dtype=pl.String),
                **self._left_out(units, at[0], element, problems),
                ELEMENT: pl.Series(element, dtype=pl.Int32),
                WITHIN: _joined(numbers[self.source.id_level :], len(element)),
                **{name: columns[name] for name in self.names},
            }
        )
        if problem.null_count() < len(problem):
            frame = frame.with_columns(pl.when(problem.is_null()).then(pl.col(name)).alias(name) for name in columns)
        return without_too_large(frame, [name for level in self.levels[:-1] for name in level.fields], lambda _: None)

    def _left_out(
        self, units: list[_Units], row: np.ndarray, element: np.ndarray, problems: np.ndarray
    ) -> dict[str, pl.Series]:
        """How many elements of lists no path reads, at the first record of each row; nothing if paths read no positions."""
        if not any(level.by_position for level in self.levels):
            return {}
        counts, of_rows = np.zeros(len(problems), dtype=np.int64), np.arange(len(problems))
        for number, (level, unit) in enumerate(zip(self.levels, units, strict=True)):
            of_rows = of_rows if number == 0 else of_rows[unit.parents]
            for value, positions in level.by_position:
                lengths = unit.frame.with_columns(value.list.len().fill_null(0).cast(pl.Int64).alias(LIST))[LIST].to_numpy()
                read = sum((lengths > position).astype(np.int64) for position in positions)
                np.add.at(counts, of_rows, lengths - read)
        counts[pl.Series(problems, dtype=pl.String).is_not_null().to_numpy()] = 0
        return {LEFT_OUT: pl.Series(np.where(element <= 1, counts[row], 0), dtype=pl.Int64)}


def _exploded(lists: pl.Series, lengths: np.ndarray) -> _Units:
    """The elements of lists that are not null, in order, and a null for each list that has none."""
    elements = lists.filter(pl.Series(lengths > 0)).explode()
    parents, starts = np.repeat(np.arange(len(lists)), lengths), np.cumsum(lengths) - lengths
    numbers = np.arange(len(parents)) - np.repeat(starts, lengths) + 1
    there = elements.is_not_null().to_numpy()
    elements, parents, numbers = elements.filter(pl.Series(there)), parents[there], numbers[there]
    missing = np.setdiff1d(np.arange(len(lists)), parents)
    parents, numbers = np.concatenate([parents, missing]), np.concatenate([numbers, np.zeros(len(missing), dtype=np.int64)])
    order = np.argsort(parents, kind="stable")
    elements = pl.concat([elements, pl.Series([None] * len(missing), dtype=elements.dtype)]).gather(order)
    return _Units(pl.DataFrame({UNIT: elements}), parents[order], numbers[order])


def _joined(numbers: list[np.ndarray], records: int) -> pl.Series:
    """The numbers of each record with full stops between them; null if all are 0."""
    if not numbers:
        return pl.Series([None] * records, dtype=pl.String)
    frame = pl.DataFrame({str(level): of_level for level, of_level in enumerate(numbers)})
    texts = pl.concat_str(pl.all().cast(pl.String), separator=".")
    return frame.select(pl.when(pl.any_horizontal(pl.all() > 0)).then(texts)).to_series()


def in_small_parts(rows: pa.RecordBatch, column: str | None) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Rows in parts of which none holds many more elements than may be exploded together, each with the index of its first row.

    Args:
        rows: the rows.
        column: the column whose lists are exploded; without it the rows stay together.

    >>> rows = pa.record_batch({"a": [[1]] * 8})
    >>> [(start, len(part)) for start, part in in_small_parts(rows, "a")]
    [(0, 8)]
    """
    waiting = [(0, rows)]
    while waiting:
        start, part = waiting.pop()
        half = part.num_rows // 2
        if column in part.schema.names and half and _values(part.column(column)) > MOST_ELEMENTS:
            waiting += [(start + half, part.slice(half)), (start, part.slice(0, half))]
        else:
            yield start, part


def _values(column: pa.Array) -> int:
    """The most values that a column holds at any level of its lists."""
    if pa.types.is_struct(column.type):
        return max([len(column), *map(_values, column.flatten())])
    if pa.types.is_nested(column.type):
        inner = entries_of(column).flatten()
        return max(len(inner), _values(inner))
    return len(column)
