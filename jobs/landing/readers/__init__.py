"""Landing files as frames of raw columns: one module for each format, one shape for all.

A reader yields frames with these columns:

- ``line_number`` (i64): the line on which the record starts, from 1; in Parquet the row. 0 is the file itself.
- ``problem`` (string): why the line could not be read; null for a line that was read.
- ``line`` (string): the text of a line with a problem, if it has one; null otherwise.
- one column for each wanted field: its text, or the value that the format has (a number, a time); null if it is missing.

Where the mapping makes events of the elements of a list (``each``), a line has a row for each, and two more columns:

- ``element`` (i32): the number of the element in the line, from 1; 0 for a line without elements.
- ``within`` (string): the number of the element in the object from which the mapping reads the event id, such as ``2`` or, in
   nested lists, ``1.2``; null for a line without elements.

Where paths read elements of lists by their position, ``left_out`` (i64) is the number of elements that none of them reads; in
Parquet only with ``each``.

Every line that is not blank becomes a row of one frame, or several with ``each``. Text formats may be compressed (gzip,
Zstandard, bzip2, xz, zip). Of a file that becomes larger than its bounds (``jobs.landing.readers.bounds``) no line is read: it
is one row, numbered 0, with a problem.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import polars as pl

from jobs.landing.readers.bounds import DEFAULT, Bounds, text_exceeds
from jobs.landing.readers.compression import refusal_of
from jobs.landing.readers.delimited import read_delimited
from jobs.landing.readers.frames import column_of, problem_frame
from jobs.landing.readers.json_columns import inside_texts
from jobs.landing.readers.json_lines import read_json_lines
from jobs.landing.readers.parquet import Groups, read_parquet
from jobs.landing.readers.pattern import read_pattern
from jobs.landing.readers.problems import Problem
from schemas.json_path import inside_columns
from schemas.runtime.cli import log
from schemas.runtime.local_files import escaped_name
from schemas.runtime.panics import is_fault
from schemas.source import Source

INSIDE = "inside:"
"""Prefix of a column's name: the column whose text may hold JSON."""

__all__ = ["Bounds", "Groups", "Problem", "read", "refused_file"]


def read(
    path: Path,
    source: Source,
    wanted: Mapping[str, str],
    lists: frozenset[str] = frozenset(),
    groups: Groups | None = None,
    bounds: Bounds = DEFAULT,
) -> Iterator[pl.DataFrame]:
    """The frames of a landing file.

    Args:
        path: the file.
        source: the mapping, which names the format.
        wanted: field -> its place in a line (a path or a column's name).
        lists: the fields that hold several texts; their columns are lists of strings.
        groups: read only these row groups, in a format that has them.
        bounds: how large the file may become.
    """
    last = None
    try:
        for frame in _frames(path, source, wanted, lists, groups, bounds):
            last = frame["line_number"].max() if len(frame) else last
            yield frame
    except BaseException as error:
        if not is_fault(error) or groups is not None:
            raise
        log.error("a library failed", file=escaped_name(path), after_line=last, error=type(error).__name__)
        yield refused_file(Problem.FAULT, wanted, lists)


def _frames(
    path: Path, source: Source, wanted: Mapping[str, str], lists: frozenset[str], groups: Groups | None, bounds: Bounds
) -> Iterator[pl.DataFrame]:
    if source.format != "parquet":
        problem = refusal_of(path)
        if problem is None and text_exceeds(path, bounds):
            problem = Problem.TOO_LARGE
        if problem is not None:
            yield refused_file(problem, wanted, lists)
            return
    columns = {name: source.columns.get(column_of(name)) for name in lists}
    in_a_text = {name: column.separator for name, column in columns.items() if column is not None and column.separator}
    match source.format:
        case "json_lines":
            frames = read_json_lines(path, source, wanted, lists - set(in_a_text))
        case "csv":
            frames = _with_json(read_delimited(path, source, _with_texts(wanted)), wanted, source)
        case "parquet":
            fields = _with_texts(wanted, source.each)
            frames = read_parquet(path, source, fields, lists - set(in_a_text), groups, bounds)
            frames = _with_json(frames, wanted, source)
        case "pattern":
            groups_of = {name: where for name, where in _with_texts(wanted).items() if where in source.groups}
            frames = _with_json(read_pattern(path, source, groups_of), wanted, source)
    for frame in frames:
        yield frame.with_columns(_list(name, frame.schema[name], in_a_text.get(name)) for name in sorted(lists))


def _with_texts(wanted: Mapping[str, str], each: str | None = None) -> dict[str, str]:
    """The wanted fields, and the columns whose texts may hold the JSON that a field's path leads into."""
    inside = {f"{INSIDE}{column}": column for where in wanted.values() for column, _ in inside_columns(where, each)}
    return {**wanted, **inside}


def _with_json(frames: Iterator[pl.DataFrame], wanted: Mapping[str, str], source: Source) -> Iterator[pl.DataFrame]:
    """Frames in which fields with a path into a text of JSON have their values; a column of the path's own name goes first."""
    inner = {name: found for name, where in wanted.items() if (found := inside_columns(where, source.each))}
    for frame in frames:
        for name, found in inner.items():
            if name in frame.columns and isinstance(frame.schema[name], pl.List):
                continue  # a list inside a text is not read
            values = [frame[name]] if name in frame.columns else []
            for column, steps in found:
                text = frame[f"{INSIDE}{column}"] if f"{INSIDE}{column}" in frame.columns else None
                if text is not None and text.dtype == pl.String and text.null_count() < len(text):
                    values.append(inside_texts(name, text, steps, source.decimal) if steps else text)
            value = pl.select(pl.coalesce(*values)).to_series() if values else pl.Series([None] * len(frame), dtype=pl.String)
            frame = frame.with_columns(value.alias(name))
        yield frame.select(pl.exclude(rf"^{INSIDE}.*$")) if inner else frame


def refused_file(problem: Problem, wanted: Collection[str], lists: Collection[str] = ()) -> pl.DataFrame:
    """The frame of a file of which no line is read.

    Args:
        problem: the reason.
        wanted: the fields.
        lists: those that hold several texts.
    """
    kinds = {name: pl.List(pl.String) if name in lists else pl.String() for name in wanted}
    return problem_frame([0], problem, [None], kinds)


def _list(name: str, kind: pl.DataType, separator: str | None) -> pl.Expr:
    """A list of texts, made from a list, a single text, or a text with separators."""
    if isinstance(kind, pl.List):
        return pl.col(name)
    text = pl.col(name).cast(pl.String)
    parts = text.str.split(separator) if separator is not None else pl.concat_list(text)
    return pl.when(text.is_not_null()).then(parts).alias(name)
