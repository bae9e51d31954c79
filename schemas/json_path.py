"""Where a text stands in a nested line: keys one in the other, list elements by number or by what they hold.

``items[0].item_id`` is the key ``item_id`` of the first element of ``items``; ``event_params[key=page].value.text`` looks in
the list ``event_params`` for the first element whose ``key`` is ``page``.
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
    """The element of a list, from 0."""

    number: int


@dataclass(frozen=True)
class Lookup:
    """The first element of a list that holds a value under a key."""

    name: str
    value: str


Step = Key | Element | Lookup


def steps_of(path: str) -> tuple[Step, ...]:
    """The steps of a path, from the outside in.

    >>> steps_of("a.b")
    (Key(name='a'), Key(name='b'))
    >>> steps_of("params[key=page.title].value")
    (Key(name='params'), Lookup(name='key', value='page.title'), Key(name='value'))

    Raises:
        ValueError: the text is no path.
    """
    steps: list[Step] = []
    at = 0
    while at < len(path):
        if steps and path[at] == ".":
            at += 1
        step = _STEP.match(path, at)
        follows = path[at - 1 : at] == "." or not steps
        if step is None or (step["key"] is not None) != follows:
            raise ValueError(f"{path!r} is no path at character {at + 1}; write key.key, key[0].key or key[name=value].key")
        if step["key"] is not None:
            steps.append(Key(step["key"]))
        elif step["number"] is not None:
            steps.append(Element(int(step["number"])))
        else:
            steps.append(Lookup(step["name"], step["value"]))
        at = step.end()
    if not steps or path.endswith("."):
        raise ValueError(f"{path!r} is no path; write key.key, key[0].key or key[name=value].key")
    return tuple(steps)
