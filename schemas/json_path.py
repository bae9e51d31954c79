"""Paths to values in nested JSON: nested keys, and list elements by position, by a key's value, or all of them.

``items[0].item_id`` is the key ``item_id`` of the first element of ``items``. ``event_params[key=page].value.text`` finds the
first element of the list ``event_params`` whose ``key`` is ``page``. ``items[].item_id`` belongs to a mapping that makes one
event of each element of ``items``; ``[]`` alone stands for the elements of a line that is itself a list.

A step into a text that holds a JSON object or list reads inside it. Keys with dots are found as well: ``user.id`` is the key
``id`` of ``user``, or else the key ``user.id``. ``["user.id"]`` is that key and nothing else.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile

_STEP = re.compile(
    r"(?P<key>[^.\[\]]+)"
    r"|\[(?P<number>\d+)\]"
    r"|(?P<every>\[\])"
    r'|\[(?P<exact>"(?:[^"\\]|\\.)+")\]'
    r"|\[(?P<name>[^=\[\]]+)=(?P<value>[^\[\]]*)\]"
)
_FORM = 'write key.key, key[0].key, key[name=value].key or ["key"]'


@dataclass(frozen=True)
class Key:
    """The value under a key of an object; an ``exact`` key is not a part of a longer key with dots."""

    name: str
    exact: bool = False


@dataclass(frozen=True)
class Element:
    """The element of a list at a position, from 0."""

    number: int


@dataclass(frozen=True)
class Lookup:
    """The first element of a list whose key ``name`` has the value ``value``."""

    name: str
    value: str


@dataclass(frozen=True)
class Every:
    """Each element of a list, as an event of its own."""


Step = Key | Element | Lookup | Every


@lru_cache(maxsize=1 << 10)
def steps_of(path: str) -> tuple[Step, ...]:
    """Parse a path into its steps, outermost first.

    >>> steps_of("a.b")
    (Key(name='a', exact=False), Key(name='b', exact=False))
    >>> steps_of("params[key=page.title].value")
    (Key(name='params', exact=False), Lookup(name='key', value='page.title'), Key(name='value', exact=False))
    >>> steps_of("items[0].id")
    (Key(name='items', exact=False), Element(number=0), Key(name='id', exact=False))
    >>> steps_of('["user.id"]'), steps_of("[].id")
    ((Key(name='user.id', exact=True),), (Every(), Key(name='id', exact=False)))
    >>> steps_of("a..b")
    Traceback (most recent call last):
        ...
    ValueError: 'a..b' is not a valid path at character 3; write key.key, key[0].key, key[name=value].key or ["key"]

    Raises:
        ValueError: the text is not a valid path.
    """
    steps: list[Step] = []
    at = 0
    while at < len(path):
        if steps and path[at] == ".":
            at += 1
        found = _STEP.match(path, at)
        step = None if found is None else _step(found)
        after_dot = path[at - 1 : at] == "."
        fits = (after_dot or not steps) if found is not None and found["key"] is not None else not after_dot
        if found is None or step is None or not fits or (not steps and isinstance(step, Element | Lookup)):
            raise ValueError(f"{path!r} is not a valid path at character {at + 1}; {_FORM}")
        steps.append(step)
        at = found.end()
    if not steps or path.endswith("."):
        raise ValueError(f"{path!r} is not a valid path; {_FORM}")
    return tuple(steps)


def _step(found: re.Match[str]) -> Step | None:
    """A step of a path; None if its quoted key is not a text of JSON."""
    if found["key"] is not None:
        return Key(found["key"])
    if found["number"] is not None:
        return Element(int(found["number"]))
    if found["every"] is not None:
        return Every()
    if found["exact"] is not None:
        try:
            return Key(json.loads(found["exact"]), exact=True)
        except ValueError:
            return None
    return Lookup(found["name"], found["value"])


def lists_of(each: str) -> tuple[tuple[Step, ...], ...]:
    """The paths of the lists of a mapping's ``each``, each one relative to an element of the list before.

    >>> lists_of("items[]"), lists_of("[].actions[]")
    (((Key(name='items', exact=False),),), ((), (Key(name='actions', exact=False),)))

    Raises:
        ValueError: the path does not end with ``[]``.
    """
    steps = steps_of(each)
    if not isinstance(steps[-1], Every):
        raise ValueError(f"{each!r} names no list whose elements are events; end it with [], such as items[]")
    found: list[tuple[Step, ...]] = []
    start = 0
    for at, step in enumerate(steps):
        if isinstance(step, Every):
            found.append(steps[start:at])
            start = at + 1
    return tuple(found)


def placed(path: str, each: str | None) -> tuple[int, tuple[Step, ...]]:
    """Where a path begins, and its steps from there: 0 is the line, 1 an element of the first list of ``each``, and so on.

    Args:
        path: the path.
        each: the mapping's path of the lists whose elements are events; None if each line is one event.

    >>> placed("id", "orders[].items[]"), placed("orders[].items[].sku", "orders[].items[]")
    ((0, (Key(name='id', exact=False),)), (2, (Key(name='sku', exact=False),)))

    Raises:
        ValueError: the path has ``[]`` where ``each`` has none.
    """
    steps, level = steps_of(path), 0
    for inner in lists_of(each) if each is not None else ():
        if steps[: len(inner) + 1] != (*inner, Every()):
            break
        steps, level = steps[len(inner) + 1 :], level + 1
    if any(isinstance(step, Every) for step in steps):
        raise ValueError(
            f"{path!r} reads the elements of another list than each ({each!r})"
            if each is not None
            else f"{path!r} stands for every element of a list; say which elements are events, such as each: "
            f'"{path[: path.rindex("[]") + 2]}"'
        )
    return level, steps


def inside_columns(path: str, each: str | None = None) -> list[tuple[str, tuple[Step, ...]]]:
    """The columns whose text a path may read inside, longest name first, each with the steps inside its text.

    Args:
        path: the path.
        each: the mapping's path of the lists whose elements are events: in an element its fields are the columns.

    >>> [name for name, _ in inside_columns("properties.$os")], [name for name, _ in inside_columns("a.b.c")]
    (['properties'], ['a.b', 'a'])
    >>> inside_columns('["user.id"]'), inside_columns("price")
    ([('user.id', ())], [])
    >>> [name for name, _ in inside_columns("items[].more.$os", "items[]")]
    ['items[].more', 'items[]']
    """
    try:
        level, steps = placed(path, each) if each is not None else (0, steps_of(path))
    except ValueError:
        return []  # a column may have any name
    if level:
        return _inside_fields(path, level, steps)
    if isinstance(steps[0], Key) and steps[0].exact:
        return [(steps[0].name, steps[1:])]
    names = plain_keys(steps)
    lengths = range(min(len(names), len(steps) - 1), 0, -1)
    return [(".".join(names[:length]), steps[length:]) for length in lengths]


def _inside_fields(path: str, level: int, steps: tuple[Step, ...]) -> list[tuple[str, tuple[Step, ...]]]:
    """The fields of an element whose text a path may read inside, or the element itself, as paths."""
    element = path[: [step.end() for step in _STEP.finditer(path) if step["every"] is not None][level - 1]]
    names = plain_keys(steps)
    lengths = range(min(len(names), len(steps) - 1), -1, -1) if steps else ()
    return [(".".join([element, *names[:length]]), steps[length:]) for length in lengths]


def plain_keys(steps: tuple[Step, ...]) -> list[str]:
    """The names of the keys with which some steps begin."""
    return [step.name for step in takewhile(lambda s: isinstance(s, Key) and not s.exact, steps) if isinstance(step, Key)]
