"""Values of JSON: a strict quick parser, an exact lenient one, and getters that follow a path through what they parsed.

orjson reads nearly all lines. It makes a float of a number of more than 64 bits or with a fraction, so that two ids could
become one; and it refuses texts that many programs write: NaN and Infinity (Python, R, pandas), half of a surrogate pair (a
text that was cut inside an emoji), and a byte order mark where two files were joined. Lines with either are read by Python's
parser, with numbers as decimals: ``NaN`` and ``Infinity`` are null.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from schemas.json_path import Element, Key, Lookup, Step, plain_keys

BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
LONGEST_PLAIN_NUMBER = 400
"""Digits of a number that is written without an exponent; every double has fewer."""
EXACT_INTEGER = 1e15
LONGEST_INTEGER = 4000
"""Digits that Python turns into an integer."""
Getter = Callable[[Any], Any]


def exact(text: str) -> Any:
    r"""Parse JSON leniently, and keep every number as it is written.

    >>> exact('{"who": 12345678901234567890123, "price": NaN}')
    {'who': 12345678901234567890123, 'price': None}
    >>> exact('{"id": 1234567890.1700000001}')
    {'id': Decimal('1234567890.1700000001')}

    Raises:
        ValueError: the text is not JSON.
    """
    try:
        return json.loads(text.lstrip(BYTE_ORDER_MARK), parse_constant=lambda _: None, parse_float=_decimal, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _integer(text: str) -> int | Decimal | str:
    return int(text) if len(text) < LONGEST_INTEGER else _decimal(text)


def _decimal(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent of 19 digits
        return text


def decimal_text(number: Decimal) -> str:
    """The one text of a number, however it was written.

    >>> [decimal_text(Decimal(text)) for text in ("17850.0", "1.785e4", "-0.0", "1.50", "0.0012")]
    ['17850', '17850', '0', '1.5', '0.0012']
    >>> decimal_text(Decimal("1e5000"))
    '1e5000'
    """
    sign, numbers, exponent = number.as_tuple()
    digits = "".join(map(str, numbers)).lstrip("0")
    bare = digits.rstrip("0")
    if not bare or not isinstance(exponent, int):
        return "0"
    exponent += len(digits) - len(bare)
    minus, places = "-" if sign else "", len(bare) + exponent
    if max(places, -exponent) > LONGEST_PLAIN_NUMBER:
        point = "." if len(bare) > 1 else ""
        return f"{minus}{bare[0]}{point}{bare[1:]}e{places - 1}"
    if exponent >= 0:
        return f"{minus}{bare}{'0' * exponent}"
    if places > 0:
        return f"{minus}{bare[:places]}.{bare[places:]}"
    return f"{minus}0.{'0' * -places}{bare}"


def scalar_text(value: Any) -> str | None:
    """A scalar as text; None for an object or a list.

    >>> [scalar_text(value) for value in ("a", True, 7, 7.0, 4.5, None, [1])]
    ['a', 'true', '7', '7', '4.5', None, None]
    """
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is float:
        return str(int(value)) if value.is_integer() and abs(value) < EXACT_INTEGER else repr(value)
    if kind is bool:
        return "true" if value else "false"
    return decimal_text(value) if kind is Decimal else None


class Paths:
    """Makes getters of paths. A text that holds JSON is parsed once, however many paths read inside it.

    Args:
        parses: parses such a text.

    >>> paths = Paths(exact)
    >>> get = paths.getter((Key("payload"), Key("who")))
    >>> get({"payload": '{"who": "ann"}'}), get({"payload.who": "bob"}), get({"payload": "cleo"})
    ('ann', 'bob', None)
    """

    def __init__(self, parses: Callable[[str], Any]) -> None:
        self._parses = parses
        self._texts: dict[int, tuple[str, Any]] = {}

    def inside(self, value: Any) -> Any:
        """The object or list that a text holds; None if it holds none. Other values stay as they are."""
        if type(value) is not str:
            return value
        known = self._texts.get(id(value))
        if known is None:
            known = value, _parsed(value, self._parses)  # with the text itself, so that its identity stays its own
            self._texts[id(value)] = known
        return known[1]

    def getter(self, steps: tuple[Step, ...]) -> Getter:
        """A function that follows some steps; it gives None for a value that does not have them."""
        if not steps:
            return lambda value: value
        first = steps[0]
        if isinstance(first, Key):
            return self._of_keys(steps)
        take, rest = self._taker(first), self.getter(steps[1:]) if steps[1:] else None
        return take if rest is None else lambda value: rest(take(value))

    def values(self, steps: tuple[Step, ...], found: Iterable[Any]) -> list[Any]:
        """The results of :meth:`getter` for many values; most paths are one key, which needs no function call.

        Args:
            steps: the path.
            found: the values.
        """
        get = self.getter(steps)
        if len(steps) == 1 and isinstance(steps[0], Key):
            name = steps[0].name
            return [value.get(name) if type(value) is dict else get(value) for value in found]
        return [get(value) for value in found]

    def _of_keys(self, steps: tuple[Step, ...]) -> Getter:
        """The value under a key, or under a longer key of this step and the next ones, joined by dots."""
        assert isinstance(steps[0], Key)
        run = plain_keys(steps)
        names = [steps[0].name] if steps[0].exact else [".".join(run[:length]) for length in range(1, len(run) + 1)]
        options = [(name, self.getter(steps[n:]) if steps[n:] else None) for n, name in enumerate(names, 1)]
        inside = self.inside

        def get(value: Any) -> Any:
            if type(value) is not dict:
                value = inside(value)
                if type(value) is not dict:
                    return None
            for name, rest in options:
                found = value.get(name)
                if found is not None:
                    if rest is not None:
                        found = rest(found)
                    if found is not None:
                        return found
            return None

        return get

    def _taker(self, step: Step) -> Getter:
        match step:
            case Element(number):
                return lambda v: v[number] if type(v := self.inside(v)) is list and number < len(v) else None
            case Lookup(name, text):
                return lambda v: next((e for e in self._objects(v) if scalar_text(e.get(name)) == text), None)
        raise ValueError(f"{step} is not a step of one value")

    def _objects(self, value: Any) -> Iterator[dict[str, Any]]:
        value = self.inside(value)
        return (element for element in value if type(element) is dict) if type(value) is list else iter(())


def _parsed(text: str, parses: Callable[[str], Any]) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return parses(text)
    except ValueError:
        return None


def quick(text: str | bytes) -> Any:
    """Parse JSON quickly, or leniently where the quick parser refuses it.

    Raises:
        ValueError: the text is not JSON, or not UTF-8.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return exact(text if isinstance(text, str) else text.decode())


def whole_characters(text: str, exactly: bool) -> str:
    r"""A text without halves of surrogate pairs, which no table can hold.

    Args:
        text: the text.
        exactly: write such a half as its escape, so that two ids stay two; otherwise as U+FFFD, the replacement character.

    >>> whole_characters("jam \ud83d", exactly=False), whole_characters("ann\ud83d", exactly=True)
    ('jam �', 'ann\\ud83d')
    """
    if exactly:
        return text.encode("utf-8", "backslashreplace").decode()
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
