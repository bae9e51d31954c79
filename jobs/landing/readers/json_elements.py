"""The records of a parsed line: one, or one for each element of the lists that a mapping's ``each`` names.

A line without the list, or with an empty one, is one record whose element is missing: a page view without products is a page
view. A null in a list is not an element: erasing one leaves a null. A record knows its place: the number of the element in the
line, from 1, and its numbers in the lists, outermost first.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from jobs.landing.readers.json_values import Paths
from jobs.landing.readers.problems import Problem
from schemas.json_path import Element, Step, lists_of, placed


class Record(NamedTuple):
    """A line, then the element of each list; 0 is the number of an element that is missing."""

    levels: tuple[Any, ...]
    numbers: tuple[int, ...] = ()


def expands(each: str | None, paths: Paths) -> Callable[[Any], list[Record] | Problem]:
    """A function that gives the records of a parsed line, or the reason why it has none.

    Args:
        each: the mapping's path of lists.
        paths: makes the getters.

    >>> expand = expands("items[]", Paths(str))
    >>> [record.levels[1] for record in expand({"items": [7, 8]})], expand({"items": 7})
    ([7, 8], <Problem.NOT_A_LIST: 'line.not_a_list'>)
    >>> [record.numbers for record in expands("[].acts[]", Paths(str))([{"acts": ["a"]}, {}, {"acts": ["b", "c"]}])]
    [(1, 1), (2, 0), (3, 1), (3, 2)]
    """
    if each is None:
        return lambda line: [Record((line,))] if type(line) is dict else Problem.NOT_AN_OBJECT
    inner = lists_of(each)
    getters = [paths.getter(steps) for steps in inner]
    of_objects = bool(inner[0])

    def expand(line: Any) -> list[Record] | Problem:
        if of_objects and type(line) is not dict:
            return Problem.NOT_AN_OBJECT
        records = [Record((line,))]
        for get in getters:
            found: list[Record] = []
            for levels, numbers in records:
                value = paths.inside(get(levels[-1]))
                if value is not None and type(value) is not list:
                    return Problem.NOT_A_LIST
                elements = [(n, element) for n, element in enumerate(value or (), 1) if element is not None]
                found += [Record((*levels, element), (*numbers, n)) for n, element in elements or [(0, None)]]
            records = found
        return Problem.NO_ELEMENTS if not of_objects and not records[0].numbers[0] else records

    return expand


def units(records: Sequence[Record]) -> list[list[Any]]:
    """The line, and the elements of each list, in order and each of them once.

    Args:
        records: the records of one line.

    >>> units([Record(("line", "a", 1), (1, 1)), Record(("line", "a", 2), (1, 2)), Record(("line", "b", None), (2, 0))])
    [['line'], ['a', 'b'], [1, 2, None]]
    """
    found: list[list[Any]] = [[] for _ in records[0].levels]
    before: tuple[int, ...] | None = None
    for levels, numbers in records:
        for level, value in enumerate(levels):
            if before is None or numbers[:level] != before[:level]:
                found[level].append(value)
        before = numbers
    return found


def lists_read_by_position(wanted: Mapping[str, str], each: str | None) -> dict[tuple[int, tuple[Step, ...]], set[int]]:
    """The lists of which paths read elements by their position: where they are, and the positions.

    Args:
        wanted: field -> path of its value.
        each: the mapping's path of lists.

    >>> lists_read_by_position({"item_id": "items[0].id", "value": "items[1].price"}, None)
    {(0, (Key(name='items', exact=False),)): {0, 1}}
    """
    read: dict[tuple[int, tuple[Step, ...]], set[int]] = {}
    for path in wanted.values():
        level, steps = placed(path, each)
        for at, step in enumerate(steps):
            if isinstance(step, Element):
                read.setdefault((level, steps[:at]), set()).add(step.number)
    return read


def left_out(value: Any, positions: set[int]) -> int:
    """How many elements of a list no path reads.

    Args:
        value: a list, or any other value, which has none.
        positions: the positions that paths read.

    >>> left_out(["a", "b", "c"], {0}), left_out(["a"], {0}), left_out(None, {0})
    (2, 0, 0)
    """
    return len(value) - sum(number < len(value) for number in positions) if type(value) is list else 0
