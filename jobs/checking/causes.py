"""The causes of rejects that the texts of the lines tell: another encoding, delimiter, time format, decimal sign."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from jobs.cleaning.timestamps import UNITS, utc_times
from jobs.landing.readers.compression import BROKEN, uncompressed
from schemas.source import TICKS_A_SECOND, Source

PROBE = 1 << 14
EARLIEST, LATEST = 631_152_000, 4_102_444_800
"""1990 and 2100 in seconds: a number that gives a moment between them is taken for a time."""
FORMATS = (
    "%d/%b/%Y:%H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S UTC",
    "%Y/%m/%d %H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%Y%m%d%H%M%S",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a %b %d %H:%M:%S %Y",
)
"""Time formats that logs use, each tried on the texts that cannot be read."""
DATE = re.compile(r"\d{4}-?\d{2}-?\d{2}|\d{1,2}[./]\d{1,2}[./]\d{4}")
DELIMITERS = "\t;|,"


def bytes_in(path: Path) -> str | None:
    """The encoding that the first bytes of a file tell, where it is not UTF-8; None if they are UTF-8 or tell nothing.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     Path(file.name).write_bytes("who,at".encode("utf-16")) > 0, bytes_in(Path(file.name))
    (True, 'utf-16')
    """
    try:
        start = next(uncompressed(path, PROBE), b"")[:PROBE]
    except BROKEN:
        return None
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    for name, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if len(start) > 3 and zeros.count(0) > len(zeros) / 2:
            return name
    try:
        start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:  # not a character that the probe cut
            return "cp1252"
    return None


def json_in(line: str) -> str | None:
    r"""The remedy for a line that is not a JSON object; None if the line does not tell it.

    >>> json_in('[{"id": 1}]')
    'A line is a JSON list: write `each: "[]"` for one event an element.'
    >>> json_in('{"agent": "\\x22odd\\x22"}')
    'A line holds `\\x`, which JSON does not know: set `escape=json` in the log_format of nginx.'
    """
    text = line.strip()
    if not text.strip("\0"):
        return "A line has only zero bytes, as a crash of the writer leaves them: nothing can be read there."
    if text in ("{", "[", "}", "]", "},", "],") or re.fullmatch(r'[{\[]? *"[^"]*" *: *[{\[]?', text):
        return "The JSON is spread over several lines: write one object a line, such as with `jq -c .`"
    if text.startswith("["):
        return 'A line is a JSON list: write `each: "[]"` for one event an element.'
    if re.search(r"\\x[0-9A-Fa-f]{2}", text):
        return "A line holds `\\x`, which JSON does not know: set `escape=json` in the log_format of nginx."
    if re.search(r"[:,\[] *(?:NaN|-?Infinity|None|nan)\b", text):
        return "A line holds NaN, Infinity or None, which JSON does not know: write null."
    if re.search(r"[{,] *'[^']*' *:", text):
        return "A line has its names in single quotes, as Python prints them: write JSON, such as with json.dumps."
    if not text.startswith("{"):
        return "A line is not a JSON object: choose `format: csv` or `format: pattern`, if the file is in one of these."
    return None


def delimiter_in(lines: Sequence[str], present: str) -> str | None:
    """The delimiter that divides lines, where it is another one than the mapping says; None if there is none.

    Args:
        lines: some lines.
        present: the delimiter of the mapping.

    >>> delimiter_in(["who;at;item", "ann;1;2"], ","), delimiter_in(["who,at,item"], ",") is None
    (';', True)
    """
    counts = {mark: min(line.count(mark) for line in lines) for mark in DELIMITERS} if lines else {}
    best = max(counts, key=lambda mark: counts[mark], default=None)
    return best if best is not None and best != present and counts[best] > counts.get(present, 0) else None


def clocks_in(texts: Counter[str], source: Source) -> Iterator[str]:
    """The remedy for times that cannot be read, or lie too far away.

    Args:
        texts: the raw texts.
        source: the mapping, with the present format.
    """
    usual = [text for text, _ in texts.most_common(100)]
    if not usual:
        return
    if source.time_origin is None and (ticks := _ticks_in(usual)) is not None:
        if ticks != source.time_format:
            yield f"event_time looks like {unit_of(ticks)} since 1970: write `time_format: {ticks}`."
        return
    if _reads(source.time_format, usual, source):
        return  # the moments are too early, too late or in the future, and the format is right
    if all(DATE.fullmatch(text) for text in usual):
        yield "event_time is a date without a time of day: write `dates_only: true`, if midnight shall count."
        return
    for form in ("iso", *FORMATS):
        if form != source.time_format and _reads(form, usual, source):
            yield f"event_time looks like {form if form != 'iso' else 'ISO 8601'}: write `time_format: '{form}'`."
            return


def unit_of(time_format: str) -> str:
    """The unit of an epoch format.

    >>> unit_of("epoch_ms")
    'milliseconds'
    """
    return next(unit for unit, a_second in UNITS.items() if a_second == TICKS_A_SECOND[time_format])


def _ticks_in(texts: Sequence[str]) -> str | None:
    """The unit in which numbers give moments of our time."""
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return None
    for name, ticks in TICKS_A_SECOND.items():
        if all(EARLIEST <= number / ticks <= LATEST for number in numbers):
            return name
    return None


def _reads(form: str, texts: Sequence[str], source: Source) -> bool:
    """Whether a time format reads all texts."""
    other = source.model_copy(update={"time_format": form})
    try:
        return utc_times(pl.Series("at", texts, dtype=pl.String), other).null_count() == 0
    except (pl.exceptions.PolarsError, ValueError):
        return False


def number_in(texts: Counter[str]) -> str | None:
    """The remedy for numbers that cannot be read; None if they do not tell it.

    >>> number_in(Counter(["12,50", "1.234,00"]))
    "the numbers have a decimal comma: write `decimal: ','` and `thousands: '.'`."
    >>> number_in(Counter(["1,234.50"]))
    "the numbers have a thousands separator: write `thousands: ','`."
    """
    usual = [text for text, _ in texts.most_common(100)]
    if usual and all(re.search(r"\d", text) for text in usual):
        if any(re.search(r"\d,\d{1,2}(?!\d)", text) for text in usual):
            return "the numbers have a decimal comma: write `decimal: ','` and `thousands: '.'`."
        if any(re.search(r"\d,\d{3}(?!\d)", text) for text in usual):
            return "the numbers have a thousands separator: write `thousands: ','`."
        if any(re.search(r"[^\d.,eE+\- ]", text) for text in usual):
            return "the numbers have a currency sign: write `decimal: '.'`, with which such signs are left out."
    return None
