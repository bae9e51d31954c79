"""Lines at which a library fails: each costs only itself, and its file and number are logged.

Polars panics at some values, and other libraries raise errors at them. A frame at which the computation fails is divided until
these lines are found, and they become rejects. If there are many, the fault is not that of a line, and the job ends.
"""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

import polars as pl

from jobs.cleaning.candidates import Arrival, Parsed, parse
from jobs.landing.readers.frames import ELEMENT, LEFT_OUT
from jobs.landing.readers.problems import Problem
from schemas.contract import Contract
from schemas.runtime.cli import log
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.panics import is_fault
from schemas.source import Source

MOST_FAULTS = 20
"""Lines of a frame at which a computation may fail."""
PLACE = ("line_number", ELEMENT, LEFT_OUT)
"""The columns that remain known of a line at which a computation fails."""

T = TypeVar("T")


def parse_each(raw: pl.DataFrame, source: Source, key: bytes, arrival: Arrival, events: Contract) -> Parsed:
    """:func:`jobs.cleaning.candidates.parse`, where a line at which it fails is a reject.

    Args:
        raw: a frame of a reader.
        source: the mapping.
        key: key of the pseudonyms.
        arrival: where and when the lines arrived.
        events: the contract.
    """
    parts = in_parts(raw, lambda lines: parse(lines, source, key, arrival, events), arrival.source_file)
    if len(parts) == 1:
        return parts[0]
    accepted, rejected = pl.concat(part.accepted for part in parts), pl.concat(part.rejected for part in parts)
    changed, former = Counter[str](), dict[str, str]()
    for part in parts:
        changed.update(part.changed)
        former |= part.former
    return Parsed(accepted, rejected, sum(part.left_out for part in parts), changed, former)


def in_parts(raw: pl.DataFrame, compute: Callable[[pl.DataFrame], T], file: str) -> list[T]:
    """Compute all lines together, or in halves where that fails; a line at which it fails gets a problem.

    Args:
        raw: a frame of a reader.
        compute: the computation.
        file: the name of its file.

    Raises:
        ClickwrightError: the computation fails at many lines, or also where a line has a problem.
    """
    found, waiting, faults = [], [raw], 0
    while waiting:
        lines = waiting.pop()
        try:
            found.append(compute(lines))
        except BaseException as error:
            if not is_fault(error):
                raise
            number, half = lines["line_number"][0] if len(lines) else 0, len(lines) // 2
            if half:
                waiting += [lines.slice(half), lines.slice(0, half)]
                continue
            faults += 1
            if faults > MOST_FAULTS or not len(lines) or lines["problem"][0] == Problem.FAULT:
                raise ClickwrightError(
                    f"a library failed ({type(error).__name__}); at line {number} of {file}, and others; "
                    "this is a fault of the mapping or of the job: nothing was published"
                ) from error
            log.error("a library failed at a line, which is rejected", file=file, line=number, error=type(error).__name__)
            nothing = {name: pl.lit(None, kind) for name, kind in raw.schema.items() if name not in PLACE}
            waiting.append(lines.with_columns(**{**nothing, "problem": pl.lit(str(Problem.FAULT))}))
    return found
