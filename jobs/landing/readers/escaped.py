"""Fields of CSV in which a character, usually the backslash, escapes quotes, as Spark, MySQL and Hive write it.

The escape character stands for itself, a quote, a delimiter or a line end after it; before any other character it is a
character like others. ``\\N`` alone, without quotes, is a missing value (MySQL, ``LOAD DATA``).
"""

from dataclasses import dataclass, field


@dataclass
class Escaped:
    r"""Splits a record that may have several lines, a line at a time.

    Args:
        delimiter: between two fields.
        quote: around a field; None in a file without quotes.
        escape: the escape character.

    >>> whole = Escaped(",", '"', "\\")
    >>> whole.feed(r'ann,"a \"red\" jam, big"'), whole.fields
    (True, ['ann', 'a "red" jam, big'])
    >>> lines = Escaped(",", '"', "\\")
    >>> lines.feed('ann,"a'), lines.feed('b"'), lines.fields
    (False, True, ['ann', 'a\nb'])
    """

    delimiter: str
    quote: str | None
    escape: str
    fields: list[str] = field(default_factory=list)
    broken: bool = False
    """Whether text follows a closed quote, so that the line is not a record."""
    _text: list[str] = field(default_factory=list)
    _open: bool = False
    _was_quoted: bool = False
    _more: bool = False

    def feed(self, line: str) -> bool:
        """Read a line, without its line end; whether the record is complete (or broken) after it."""
        if self._more:
            self._text.append("\n")
        at, size = 0, len(line)
        while at < size and not self.broken:
            at = self._step(line, at)
        ends_escaped = at > size
        self._more = self._open or ends_escaped
        if not self._more and not self.broken:
            self._close()
        return not self._more or self.broken

    def _step(self, line: str, at: int) -> int:
        """Read the character at a place; returns the next place, beyond the end if the line end is escaped."""
        char, following = line[at], line[at + 1 : at + 2]
        if char == self.escape:
            plain = following in (self.quote, self.escape, self.delimiter, "")
            self._text.append(following if plain else char + following)
            return at + 2
        if self._open:
            if char != self.quote:
                self._text.append(char)
            elif following == self.quote:
                self._text.append(char)
                return at + 2
            else:
                self._open = False
                self.broken = following not in ("", self.delimiter)
        elif char == self.delimiter:
            self._close()
        elif char == self.quote and not self._text and not self._was_quoted:
            self._open = self._was_quoted = True
        else:
            self._text.append(char)
        return at + 1

    def _close(self) -> None:
        missing = self._text == [f"{self.escape}N"] and not self._was_quoted  # not an escaped escape character, then N
        self.fields.append("" if missing else "".join(self._text))
        self._text, self._was_quoted = [], False
