"""CSV records, parsed one at a time where bytes alone do not decide: quotes, line breaks, headers, broken lines."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jobs.landing.readers.escaped import Escaped
from jobs.landing.readers.lines import LONGEST_LINE, RawLine, not_decoded, text_of
from jobs.landing.readers.problems import Problem
from schemas.source import Source

csv.field_size_limit(2 * LONGEST_LINE)

W3C_FIELDS = "#Fields:"
W3C_DIRECTIVES = (W3C_FIELDS, "#Version:", "#Software:", "#Start-Date:", "#End-Date:", "#Date:", "#Remark:")
"""The lines of a log in the W3C's extended format that are not records (W3C, WD-logfile-960323)."""
LEAST_NAMES = 2


class Record(NamedTuple):
    """A record: the line on which it starts, and its fields, or its problem and text."""

    number: int
    fields: Sequence[str]
    problem: Problem | None = None
    text: str | None = None
    header: Sequence[str] = ()
    """The names of its fields."""


@dataclass(frozen=True)
class Form:
    """How a file writes its records; see the options of :class:`schemas.source.Source`."""

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    comment: str | None = None
    extra_fields: bool = False
    w3c: bool = False
    names: tuple[str, ...] | None = None
    encoding: str = "utf-8"

    @classmethod
    def of(cls, source: Source) -> "Form":
        """The form that a mapping names."""
        return cls(
            source.delimiter,
            source.quote,
            source.escape,
            source.comment,
            source.extra_fields,
            source.header == "w3c",
            source.fields,
            source.encoding,
        )


class Records:
    r"""Turns lines into records; keeps back a record that may continue on the next line.

    A quote that is not closed at the end of a field costs only the line on which it opens. A header line inside the file is
    followed: the lines after it are read by it.

    Args:
        form: how the file writes them.
        known: the names of the mapping; a line is the header if it has at least one of them.

    >>> records = Records(Form(), {"user"})
    >>> lines = [b"user,item", b'ann,"a', b'b"', b"bob"]
    >>> found = records.take([RawLine(number, content, None) for number, content in enumerate(lines, 1)], last=True)
    >>> [(record.number, list(record.fields), record.problem and str(record.problem)) for record in found]
    [(2, ['ann', 'a\nb'], None), (4, ['bob'], 'line.wrong_fields')]
    """

    def __init__(self, form: Form, known: set[str]) -> None:
        self.form, self.known = form, known
        self.delimiter, self.quote = form.delimiter, form.quote
        self.comment = ("#" if form.w3c else form.comment or "").encode()
        self.header = list(form.names) if form.names is not None else None
        self.kept: list[RawLine] = []
        self._heading = list(form.names or ())

    @property
    def ambiguous(self) -> bool:
        """Whether the header has a name of the mapping twice."""
        header = self.header or []
        return any(header.count(name) > 1 for name in self.known)

    @property
    def names(self) -> list[str]:
        """The names by which a header line inside the file is found."""
        return sorted({*self._heading, *(self.header or ()), *self.known})

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
            if (directive := self._directive(lines[at])) is not None:
                records.append(directive)
                at += 1
                continue
            record, taken = self.record(lines, at)
            if record is None and not last and sum(len(line.content) for line in lines[at:]) <= LONGEST_LINE:
                self.kept = lines[at:]
                break
            record = record or _refused(lines[at], Problem.BROKEN_QUOTES)
            at += taken
            if self.header is None and self._is_header(record):
                self._follow(record.fields)
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
            return _refused(first, not_decoded(self.form.encoding)), 1
        if self.form.escape is not None and self.form.escape in text:
            return self._escaped(lines, at)
        fields = self._split(text)
        if fields is not None:
            return Record(first.number, fields, None, text), 1
        if self.form.escape is not None:  # a later line of the record may have it
            return self._escaped(lines, at)
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
                if fields is None or not self._fits(fields):
                    return _refused(first, Problem.BROKEN_QUOTES), 1
                return Record(first.number, fields, None, "\n".join(pieces)), len(pieces)
        return None, 1

    def singles(self, lines: Sequence[RawLine]) -> list[Record] | None:
        """The records of lines that are parsed one by one; None if one continues on the next line, or the header changes."""
        before, records = (self.header, self._heading), []
        texts = [self._text(line) for line in lines]
        special = self.comment or self.form.escape or None in texts
        rows = None if special else self._split_all([text or "" for text in texts])
        if rows is not None:
            found = zip(lines, rows, texts, strict=True)
            records = [self.checked(Record(line.number, fields, None, text)) for line, fields, text in found]
        else:
            for line in lines:
                record = self._directive(line) or self.record([line])[0]
                if record is None:
                    break
                records.append(record if record.problem is not None else self.checked(record))
        if len(records) < len(lines) or self.header != before[0]:
            self.header, self._heading = before
            return None
        return records

    def checked(self, record: Record) -> Record:
        """The record, or its problem in comparison with the header."""
        if record.problem is not None:
            return record
        if self.header is None:
            return record._replace(problem=Problem.NO_HEADER)
        if self.is_header_again(record.fields):
            self._follow(record.fields)
            return record._replace(problem=Problem.HEADER_AGAIN)
        if not self._fits(record.fields):
            directive = (record.text or "").startswith(W3C_DIRECTIVES)
            return record._replace(problem=Problem.COMMENT if directive else Problem.WRONG_FIELDS)
        return record._replace(problem=Problem.REPEATED_NAME) if self.ambiguous else record._replace(header=self.header)

    def _fits(self, fields: Sequence[str]) -> bool:
        """Whether a record has a field for each name of the header."""
        wanted = len(self.header or fields)
        return len(fields) >= wanted if self.form.extra_fields else len(fields) == wanted

    def _follow(self, fields: Sequence[str]) -> None:
        self._heading, self.header = list(fields), [name.strip() for name in fields]

    def _directive(self, line: RawLine) -> Record | None:
        """A line that is a comment, or in a log of the W3C a directive, of which ``#Fields`` names the fields."""
        if not self.comment or not line.content.startswith(self.comment):
            return None
        text = self._text(line)
        if self.form.w3c and text is not None and text.startswith(W3C_FIELDS):
            self._follow(text.removeprefix(W3C_FIELDS).split())
        return _refused(line, Problem.COMMENT)

    def _escaped(self, lines: Sequence[RawLine], at: int) -> tuple[Record | None, int]:
        """Like :meth:`record`, for a line with the escape character."""
        found, size, pieces = Escaped(self.delimiter, self.quote, self.form.escape or ""), 0, list[str]()
        for line in lines[at:]:
            piece = self._text(line)
            size += len(line.content)
            if piece is None or size > LONGEST_LINE:
                break
            pieces.append(piece)
            if found.feed(piece):
                if found.broken or (len(pieces) > 1 and not self._fits(found.fields)):
                    break
                return Record(lines[at].number, found.fields, None, "\n".join(pieces)), len(pieces)
        else:
            return None, 1
        return _refused(lines[at], Problem.BROKEN_QUOTES), 1

    def is_header_again(self, fields: Sequence[str]) -> bool:
        """Whether a line inside the file is a header.

        It has two names of the mapping, and three quarters of those that the header has. No name begins with a digit, as
        times do.
        """
        names = {name.strip() for name in fields}
        if list(fields) == self._heading:
            return True
        if (has := len(names & self.known)) == 0 or any(name[:1].isdigit() for name in names):
            return False
        had = len(set(self.header or ()) & self.known)
        return names == set(self.header or ()) or (has >= LEAST_NAMES and 4 * has >= 3 * had)

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
