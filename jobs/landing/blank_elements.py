"""Take single elements out of the lists of a line of JSON: a line may hold events of several persons, of whom one is erased."""

import re
from collections.abc import Iterator
from itertools import takewhile
from json import JSONDecoder

from jobs.landing.readers.json_elements import expands
from jobs.landing.readers.json_values import BYTE_ORDER_MARK, Paths, quick
from jobs.landing.readers.problems import Problem
from schemas.json_path import Key, Step, lists_of, plain_keys
from schemas.source import Source

Span = tuple[int, int]
Place = tuple[int, ...]
"""The numbers of an element in the lists around it, outermost first."""
NULL = "null"
_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = JSONDecoder()


def without_elements(content: bytes, source: Source, elements: set[int]) -> bytes:
    """A line in which some elements are null, so that the others keep their places; all else stays as it is written.

    Args:
        content: the line, in the encoding of the source.
        source: the mapping, with ``each``.
        elements: the numbers of the records to take out, from 1.

    Returns:
        The line; an empty one if the elements cannot be told apart, such as those of a list inside a text.
    """
    each, level = source.each or "", source.person_level
    try:
        text = content.decode(source.encoding)
        records = expands(each, Paths(quick))(quick(text))
        if isinstance(records, Problem):
            return b""
        wanted = {record.numbers[:level] for number, record in enumerate(records, 1) if number in elements}
        spans = _spans(text, lists_of(each)[:level])
    except (ValueError, RecursionError):  # numbers, or lists in lists, beyond the strict parser's bounds
        return b""
    if spans is None or not wanted <= spans.keys():
        return b""
    for start, end in sorted((spans[place] for place in wanted), reverse=True):
        text = text[:start] + NULL + text[end:]
    return text.encode(source.encoding)


def _spans(text: str, lists: tuple[tuple[Step, ...], ...]) -> dict[Place, Span] | None:
    """Where the elements of the innermost list stand; None if a list stands inside a text."""
    start = len(text) - len(text.lstrip(BYTE_ORDER_MARK))
    found: dict[Place, Span] = {(): (start, len(text))}
    for steps in lists:
        inner: dict[Place, Span] = {}
        for place, span in found.items():
            where = _descend(text, span[0], steps)
            if where is None or text[where] == "n":  # no such list, or null
                continue
            if text[where] != "[":
                return None
            inner |= {(*place, number): element for number, element in enumerate(_elements(text, where), 1)}
        found = inner
    return found


def _descend(text: str, at: int, steps: tuple[Step, ...]) -> int | None:
    """Where the value at some keys begins, from the object that begins at an index."""
    at = _skip(text, at)
    names = [step for step in takewhile(lambda step: isinstance(step, Key), steps) if isinstance(step, Key)]
    if not steps or len(names) < len(steps) or text[at] != "{":
        return at if not steps else None
    members = dict(_members(text, at))
    run = max(1, len(plain_keys(steps)))
    for length in range(1, run + 1):
        start = members.get(".".join(key.name for key in names[:length]))
        if start is not None and (found := _descend(text, start, steps[length:])) is not None:
            return found
    return None


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    """The keys of the object that begins at an index, and where their values begin."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        yield key, at
        at = _next(text, _DECODER.raw_decode(text, at)[1])


def _elements(text: str, at: int) -> Iterator[Span]:
    """Where the elements of the list that begins at an index begin and end."""
    at = _skip(text, at + 1)
    while text[at] != "]":
        end = _DECODER.raw_decode(text, at)[1]
        yield at, end
        at = _next(text, end)


def _next(text: str, at: int) -> int:
    """Where the next member or element begins, or the object or list ends."""
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return at if blank is None else blank.end()
