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
from jobs.landing.readers.records import Record, Records
from schemas.source import Source

LINE_FEED, FIRST_BEYOND_ASCII = 10, 128


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
    records = Records(source.delimiter, source.quote, source.encoding, source.fields, set(wanted.values()))
    empty = True
    for block in blocks(path, block_bytes, source.encoding):
        empty = False
        if block.problem is not None:
            yield _slow(records.take([], last=True), records, wanted)
            yield problem_frame([block.first], block.problem, [text_of(block.content)], _kinds(wanted))
            continue
        if records.header is None:
            above, block = _down_to_header(block, records)
            yield _slow(above, records, wanted)
        simple = at_once and records.header is not None and not records.kept
        quick = _quick(block, records, wanted) if simple else None
        yield _slow(records.take(_lines(block)), records, wanted) if quick is None else quick
    yield _slow(records.take([], last=True), records, wanted)
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


def _slow(found: Sequence[Record], records: Records, wanted: Mapping[str, str]) -> pl.DataFrame:
    """The frame of records that were parsed one by one."""
    header = records.header or []
    sound = [record for record in found if record.problem is None]
    columns = {}
    for name, where in wanted.items():
        at = header.index(where) if where in header else None
        texts = [None if at is None else record.fields[at] or None for record in sound]
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
    content = _unquoted(content, records)
    usual, starts, ends = _usual(content, records)
    lines = []
    for at in np.flatnonzero(~usual & (ends > starts)).tolist():
        line = content[starts[at] : ends[at]].rstrip(b"\r")
        if line:
            lines.append(RawLine(block.first + at, line, None))
    odd = records.singles(lines)
    if odd is None:
        return None
    numbers = np.flatnonzero(usual) + block.first
    if len(numbers) < len(starts):
        content = np.frombuffer(content, np.uint8)[np.repeat(usual, ends + 1 - starts)].tobytes()
    columns = _split(content, len(numbers), records, wanted)
    if columns is None:
        return None
    frame = frame_of(numbers, columns)
    return pl.concat([frame, _slow(odd, records, wanted)]).sort("line_number") if odd else frame


def _unquoted(content: bytes, records: Records) -> bytes:
    """Remove the quotes of lines that do not need them: quotes around whole fields without quotes or delimiters inside."""
    quote = (records.quote or "").encode()
    if not quote or quote not in content or b"\r" in content or b"\0" in content or not _is_text(content):
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
    plain = (in_line % 2 == 0) & (between == len(records.header or ()) - 1) & (ends - starts > in_line)
    plain[line[~at_edge | holds_delimiter]] = False
    keep = np.ones(len(codes), dtype=bool)
    keep[quotes[plain[line]]] = False
    return codes[keep].tobytes()


def _usual(content: bytes, records: Records) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which lines are records for certain, by their bytes alone, and where each line starts and ends."""
    codes = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(codes == LINE_FEED)
    starts = np.concatenate([[0], ends[:-1] + 1])
    between = np.searchsorted(np.flatnonzero(codes == ord(records.delimiter)), np.concatenate([[0], ends]))
    usual = (np.diff(between) == len(records.header or ()) - 1) & (ends > starts)
    marks = [np.flatnonzero(codes == ord(mark)) for mark in ("\r", "\0", records.quote) if mark and mark.encode() in content]
    if not _is_text(content):
        marks.append(np.flatnonzero(codes >= FIRST_BEYOND_ASCII))
    if records.names_itself:
        marks.append(_places(content, records.header_line))
    for mark in marks:
        usual[np.searchsorted(ends, mark)] = False
    return usual, starts, ends


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
        at = content.find(text, at + len(text))
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
    )
    if len(read) != lines:
        return None
    by_place = dict(zip(places, read.get_columns(), strict=True))
    return {name: by_place[header.index(where)] if where in header else absent for name, where in wanted.items()}
