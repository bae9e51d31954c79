"""CSV records, parsed one at a time where bytes alone do not decide: quotes, line breaks, headers, broken lines."""

import csv
from collections.abc import Sequence
from typing import NamedTuple

from jobs.landing.readers.lines import LONGEST_LINE, RawLine, not_decoded, text_of
from jobs.landing.readers.problems import Problem

csv.field_size_limit(2 * LONGEST_LINE)


class Record(NamedTuple):
    """A record: the line on which it starts, and its fields, or its problem and text."""

    number: int
    fields: Sequence[str]
    problem: Problem | None = None
    text: str | None = None


class Records:
    r"""Turns lines into records; keeps back a record that may continue on the next line.

    A quote that is not closed at the end of a field costs only the line on which it opens.

    Args:
        delimiter: between two fields.
        quote: around a field; None in a file without quotes.
        encoding: of the file.
        header: names of the fields, for a file that does not name them.
        known: a line is the header if it has at least one of these names.

    >>> records = Records(",", '"', "utf-8", None, {"user"})
    >>> lines = [b"user,item", b'ann,"a', b'b"', b"bob"]
    >>> found = records.take([RawLine(number, content, None) for number, content in enumerate(lines, 1)], last=True)
    >>> [(record.number, list(record.fields), record.problem and str(record.problem)) for record in found]
    [(2, ['ann', 'a\nb'], None), (4, ['bob'], 'line.wrong_fields')]
    """

    def __init__(self, delimiter: str, quote: str | None, encoding: str, header: Sequence[str] | None, known: set[str]) -> None:
        self.delimiter, self.quote, self.encoding, self.known = delimiter, quote, encoding, known
        self.header = list(header) if header is not None else None
        self.names_itself = header is None
        self.kept: list[RawLine] = []
        self._heading: list[str] = []

    @property
    def header_line(self) -> bytes:
        """The header as it appears in a file without quotes."""
        return self.delimiter.join(self._heading).encode()

    def take(self, lines: Sequence[RawLine], last: bool = False) -> list[Record]:
        """The records of the lines kept back so far and of these.

        Args:
            lines: the next lines.
            last: whether these are the last ones; then no line is kept back.
        """
        lines, self.kept = [*self.kept, *lines], []
        records, at = [], 0
        while at < len(lines):
            if not lines[at].content:
                at += 1
                continue
            record, taken = self.record(lines, at)
            if record is None and not last and sum(len(line.content) for line in lines[at:]) <= LONGEST_LINE:
                self.kept = lines[at:]
                break
            record = record or _refused(lines[at], Problem.BROKEN_QUOTES)
            at += taken
            if self.header is None and self._is_header(record):
                self._heading = list(record.fields)
                self.header = [name.strip() for name in record.fields]
            else:
                records.append(self.checked(record))
        return records

    def record(self, lines: Sequence[RawLine], at: int = 0) -> tuple[Record | None, int]:
        """The record that starts at a line, and how many lines it takes; None if a quote is still open after the last line.

        Args:
            lines: raw lines.
            at: index of the record's first line.
        """
        first = lines[at]
        text = self._text(first)
        if text is None:
            return _refused(first, not_decoded(self.encoding)), 1
        fields = self._split(text)
        if fields is not None:
            return Record(first.number, fields, None, text), 1
        if self.quote is None or self._split(text + self.quote) is None:
            return _refused(first, Problem.BROKEN_QUOTES), 1
        pieces, size = [text], len(text)
        for line in lines[at + 1 :]:
            piece = self._text(line)
            size += len(line.content)
            if piece is None or size > LONGEST_LINE:
                return _refused(first, Problem.BROKEN_QUOTES), 1
            pieces.append(piece)
            if piece.count(self.quote) % 2:  # only an odd count closes the quote
                fields = self._split("\n".join(pieces))
                if fields is None or (self.header is not None and len(fields) != len(self.header)):
                    return _refused(first, Problem.BROKEN_QUOTES), 1
                return Record(first.number, fields, None, "\n".join(pieces)), len(pieces)
        return None, 1

    def singles(self, lines: Sequence[RawLine]) -> list[Record] | None:
        """The records of lines that are parsed one by one; None if a record continues on the next line."""
        texts = [self._text(line) for line in lines]
        rows = None if None in texts else self._split_all([text or "" for text in texts])
        if rows is not None:
            found = zip(lines, rows, texts, strict=True)
            return [self.checked(Record(line.number, fields, None, text)) for line, fields, text in found]
        records = []
        for line in lines:
            record, _ = self.record([line])
            if record is None:
                return None
            records.append(self.checked(record))
        return records

    def checked(self, record: Record) -> Record:
        """The record, or its problem in comparison with the header."""
        if record.problem is not None:
            return record
        if self.header is None:
            return record._replace(problem=Problem.NO_HEADER)
        if self._heading == list(record.fields):
            return record._replace(problem=Problem.HEADER_AGAIN)
        if len(record.fields) != len(self.header):
            return record._replace(problem=Problem.WRONG_FIELDS)
        return record

    def _is_header(self, record: Record) -> bool:
        return record.problem is None and not self.known.isdisjoint(name.strip() for name in record.fields)

    def _text(self, line: RawLine) -> str | None:
        try:
            return line.content.decode()
        except UnicodeDecodeError:
            return None

    def _split_all(self, texts: list[str]) -> list[list[str]] | None:
        """The fields of many lines; None if one of them is broken, or a record spans several."""
        if self.quote is None:
            return [text.split(self.delimiter) for text in texts]
        try:
            rows = list(csv.reader(texts, delimiter=self.delimiter, quotechar=self.quote, strict=True))
        except (csv.Error, ValueError):
            return None
        return rows if len(rows) == len(texts) else None

    def _split(self, text: str) -> list[str] | None:
        if self.quote is None:
            return text.split(self.delimiter)
        try:
            (fields,) = csv.reader([text], delimiter=self.delimiter, quotechar=self.quote, strict=True)
        except (csv.Error, ValueError):
            return None
        return fields


def _refused(line: RawLine, problem: Problem) -> Record:
    return Record(line.number, (), problem, text_of(line.content))
