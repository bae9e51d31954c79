"""Paths to values in nested JSON: nested keys, and list elements by position or by a key's value.

``items[0].item_id`` is the key ``item_id`` of the first element of ``items``. ``event_params[key=page].value.text`` finds the
first element of the list ``event_params`` whose ``key`` is ``page``.
"""

import re
from dataclasses import dataclass

_STEP = re.compile(r"(?P<key>[^.\[\]]+)|\[(?P<number>\d+)\]|\[(?P<name>[^=\[\]]+)=(?P<value>[^\[\]]*)\]")


@dataclass(frozen=True)
class Key:
    """The value under a key of an object."""

    name: str


@dataclass(frozen=True)
class Element:
    """The element of a list at a position, from 0."""

    number: int


@dataclass(frozen=True)
class Lookup:
    """The first element of a list whose key ``name`` has the value ``value``."""

    name: str
    value: str


Step = Key | Element | Lookup


def steps_of(path: str) -> tuple[Step, ...]:
    """Parse a path into its steps, outermost first.

    >>> steps_of("a.b")
    (Key(name='a'), Key(name='b'))
    >>> steps_of("params[key=page.title].value")
    (Key(name='params'), Lookup(name='key', value='page.title'), Key(name='value'))
    >>> steps_of("items[0].id")
    (Key(name='items'), Element(number=0), Key(name='id'))
    >>> steps_of("a..b")
    Traceback (most recent call last):
        ...
    ValueError: 'a..b' is not a valid path at character 3; write key.key, key[0].key or key[name=value].key

    Raises:
        ValueError: the text is not a valid path.
    """
    steps: list[Step] = []
    at = 0
    while at < len(path):
        if steps and path[at] == ".":
            at += 1
        step = _STEP.match(path, at)
        follows = path[at - 1 : at] == "." or not steps
        if step is None or (step["key"] is not None) != follows:
            raise ValueError(
                f"{path!r} is not a valid path at character {at + 1}; write key.key, key[0].key or key[name=value].key"
            )
        if step["key"] is not None:
            steps.append(Key(step["key"]))
        elif step["number"] is not None:
            steps.append(Element(int(step["number"])))
        else:
            steps.append(Lookup(step["name"], step["value"]))
        at = step.end()
    if not steps or path.endswith("."):
        raise ValueError(f"{path!r} is not a valid path; write key.key, key[0].key or key[name=value].key")
    return tuple(steps)
