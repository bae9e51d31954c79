"""CSV: a header, then records of fields between delimiters; a quoted field may hold delimiters and line breaks.

Nearly all lines are records that their bytes alone identify; Polars splits these, a block at a time. The other lines (with a
quote, a wrong number of fields, a repeated header, or invalid bytes) go one by one through ``jobs.landing.readers.records``.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from jobs.landing.readers.frames import frame_of, problem_frame
from jobs.landing.readers.lines import BLOCK_BYTES, Block, RawLine, blocks, text_of
from jobs.landing.readers.problems import Problem
from jobs.landing.readers.records import Form, Record, Records
from schemas.source import Source

LINE_FEED, FIRST_BEYOND_ASCII = 10, 128
LOOKED_AT = 2
"""Columns in which a header line inside the file is looked for."""


def read_delimited(
    path: Path, source: Source, wanted: Mapping[str, str], *, block_bytes: int = BLOCK_BYTES, at_once: bool = True
) -> Iterator[pl.DataFrame]:
    """The frames of a CSV file; a column that the file lacks is null. Without a header none of its lines can be read.

    Args:
        path: the file.
        source: the mapping.
        wanted: field -> name of the column.
        block_bytes: about how much of the file is in memory at a time.
        at_once: whether Polars splits the simple lines, many at once; the rows are the same.
    """
    records = Records(Form.of(source), set(wanted.values()))
    empty = True
    for block in blocks(path, block_bytes, source.encoding):
        empty = False
        if block.problem is not None:
            yield _slow(records.take([], last=True), wanted)
            yield problem_frame([block.first], block.problem, [text_of(block.content)], _kinds(wanted))
            continue
        if records.header is None:
            above, block = _down_to_header(block, records)
            yield _slow(above, wanted)
        simple = at_once and records.header is not None and not records.kept and not records.ambiguous
        quick = _quick(block, records, wanted) if simple else None
        yield _slow(records.take(_lines(block)), wanted) if quick is None else quick
    yield _slow(records.take([], last=True), wanted)
    if empty and records.header is None:
        yield problem_frame([0], Problem.EMPTY, [None], _kinds(wanted))


def _kinds(wanted: Mapping[str, str]) -> dict[str, type[pl.DataType]]:
    return dict.fromkeys(wanted, pl.String)


def _lines(block: Block) -> list[RawLine]:
    return [RawLine(number, raw.rstrip(b"\r"), None) for number, raw in enumerate(block.content.split(b"\n")[:-1], block.first)]


def _down_to_header(block: Block, records: Records) -> tuple[list[Record], Block]:
    """The records above the header, and the rest of the block below it."""
    found: list[Record] = []
    number, start = block.first, 0
    while records.header is None and start < len(block.content):
        end = block.content.index(b"\n", start)
        found += records.take([RawLine(number, block.content[start:end].rstrip(b"\r"), None)])
        number, start = number + 1, end + 1
    return found, Block(number, block.content[start:], None)


def _slow(found: Sequence[Record], wanted: Mapping[str, str]) -> pl.DataFrame:
    """The frame of records that were parsed one by one."""
    sound = [record for record in found if record.problem is None]
    columns: dict[str, pl.Series] = {}
    for name, where in wanted.items():
        places = {id(record.header): record.header for record in sound}
        at = {key: header.index(where) if where in header else None for key, header in places.items()}
        texts = [None if (n := at[id(record.header)]) is None else record.fields[n] or None for record in sound]
        columns[name] = pl.Series(texts, dtype=pl.String)
    broken = [record for record in found if record.problem is not None]
    frames = [frame_of([record.number for record in sound], columns)]
    for problem in dict.fromkeys(record.problem for record in broken):
        of_problem = [record for record in broken if record.problem is problem]
        numbers, texts = [record.number for record in of_problem], [record.text for record in of_problem]
        frames.append(problem_frame(numbers, Problem(str(problem)), texts, _kinds(wanted)))
    return pl.concat(frames).sort("line_number")


def _quick(block: Block, records: Records, wanted: Mapping[str, str]) -> pl.DataFrame | None:
    """The frame of a block whose simple lines are split by Polars; None if a record spans several lines."""
    content = block.content.replace(b"\r\n", b"\n")
    if not content:
        return None
    is_text = _is_text(content)
    content = _unquoted(content, records) if is_text else content
    usual, starts, ends = _usual(content, records, is_text)
    columns = _columns(content, usual, starts, ends, records, wanted)
    if columns is not None and (headers := _headers(content, usual, columns, records)):
        usual[headers] = False
        columns = _columns(content, usual, starts, ends, records, wanted)
    lines = []
    for at in np.flatnonzero(~usual & (ends > starts)).tolist():
        line = content[starts[at] : ends[at]].rstrip(b"\r")
        if line:
            lines.append(RawLine(block.first + at, line, None))
    odd = records.singles(lines)
    if odd is None or columns is None:
        return None
    frame = frame_of(np.flatnonzero(usual) + block.first, columns)
    return pl.concat([frame, _slow(odd, wanted)]).sort("line_number") if odd else frame


def _columns(
    content: bytes, usual: np.ndarray, starts: np.ndarray, ends: np.ndarray, records: Records, wanted: Mapping[str, str]
) -> dict[str, pl.Series] | None:
    """The wanted columns of the simple lines of a block; None if Polars finds another number of lines."""
    count = int(usual.sum())
    if count < len(starts):
        content = np.frombuffer(content, np.uint8)[np.repeat(usual, ends + 1 - starts)].tobytes()
    return _split(content, count, records, wanted)


def _unquoted(content: bytes, records: Records) -> bytes:
    """Remove the quotes of lines that do not need them: quotes around whole fields without quotes or delimiters inside."""
    quote = (records.quote or "").encode()
    if not quote or quote not in content or b"\r" in content or b"\0" in content:
        return content
    codes = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(codes == LINE_FEED)
    starts = np.concatenate([[0], ends[:-1] + 1])
    quotes, delimiters = np.flatnonzero(codes == quote[0]), np.flatnonzero(codes == ord(records.delimiter))
    line = np.searchsorted(ends, quotes)
    in_line = np.bincount(line, minlength=len(ends))
    opens = (np.arange(len(quotes)) - (np.cumsum(in_line) - in_line)[line]) % 2 == 0
    edge = (codes == LINE_FEED) | (codes == ord(records.delimiter))
    at_edge = np.where(opens, (quotes == 0) | edge[quotes - 1], edge[quotes + 1])
    before = np.searchsorted(delimiters, quotes)
    holds_delimiter = ~opens & (before != np.concatenate([[0], before[:-1]]))
    between = np.diff(np.searchsorted(delimiters, np.concatenate([[0], ends])))
    plain = (in_line % 2 == 0) & _enough(between, records) & (ends - starts > in_line)
    plain[line[~at_edge | holds_delimiter]] = False
    if records.comment:  # "#ann" in quotes is a value
        plain[np.searchsorted(ends, _line_starts(content, quote + records.comment))] = False
    if records.form.escape:
        plain[np.searchsorted(ends, np.flatnonzero(codes == ord(records.form.escape)))] = False
    keep = np.ones(len(codes), dtype=bool)
    keep[quotes[plain[line]]] = False
    return codes[keep].tobytes()


def _usual(content: bytes, records: Records, is_text: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which lines are records for certain, by their bytes alone, and where each line starts and ends."""
    codes = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(codes == LINE_FEED)
    starts = np.concatenate([[0], ends[:-1] + 1])
    between = np.searchsorted(np.flatnonzero(codes == ord(records.delimiter)), np.concatenate([[0], ends]))
    usual = _enough(np.diff(between), records) & (ends > starts)
    marks = [
        np.flatnonzero(codes == ord(mark))
        for mark in ("\r", "\0", records.quote, records.form.escape)
        if mark and mark.encode() in content
    ]
    if not is_text:
        marks.append(np.flatnonzero(codes >= FIRST_BEYOND_ASCII))
    if records.comment:
        marks.append(_line_starts(content, records.comment))
    for mark in marks:
        usual[np.searchsorted(ends, mark)] = False
    return usual, starts, ends


def _enough(delimiters: np.ndarray, records: Records) -> np.ndarray:
    """Which lines have the delimiters of a record, by their numbers."""
    wanted = len(records.header or ()) - 1
    return delimiters >= wanted if records.form.extra_fields else delimiters == wanted


def _line_starts(content: bytes, prefix: bytes) -> np.ndarray:
    """The places at which lines with a prefix start."""
    first = [0] if content.startswith(prefix) else []
    return np.array([*first, *(_places(content, b"\n" + prefix) + 1)], dtype=np.int64)


def _headers(content: bytes, usual: np.ndarray, columns: Mapping[str, pl.Series], records: Records) -> list[int]:
    """Which simple lines are headers again: these have a name where others have a value."""
    found: list[int] = []
    names = [column.is_in(records.names).fill_null(False) for column in list(columns.values())[:LOOKED_AT]]
    if not any(has.any() for has in names):
        return found
    at, lines = np.flatnonzero(usual), content.split(b"\n")
    for has in names:
        for hit in has.arg_true():
            if records.is_header_again(lines[at[hit]].decode().split(records.delimiter)):
                found.append(int(at[hit]))
    return found


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _places(content: bytes, text: bytes) -> np.ndarray:
    places, at = [], content.find(text)
    while at >= 0:
        places.append(at)
        at = content.find(text, at + len(text) - 1)
    return np.array(places, dtype=np.int64)


def _split(content: bytes, lines: int, records: Records, wanted: Mapping[str, str]) -> dict[str, pl.Series] | None:
    """The wanted columns of simple lines; None if Polars finds another number of lines, so that no line is lost."""
    header = records.header or []
    places = sorted({header.index(where) for where in wanted.values() if where in header})
    absent = pl.Series([None] * lines, dtype=pl.String)
    if not places or not lines:
        return dict.fromkeys(wanted, absent)
    read = pl.read_csv(
        content,
        has_header=False,
        columns=places,
        separator=records.delimiter,
        quote_char=None,
        infer_schema=False,
        truncate_ragged_lines=records.form.extra_fields,
    )
    if len(read) != lines:
        return None
    by_place = dict(zip(places, read.get_columns(), strict=True))
    return {name: by_place[header.index(where)] if where in header else absent for name, where in wanted.items()}
