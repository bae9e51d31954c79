"""Columns of texts, made from values of JSON: exact where two values must not become one, and without half characters."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import polars as pl

from jobs.landing.readers.frames import IDS
from jobs.landing.readers.json_values import Paths, exact, quick, scalar_text, whole_characters
from schemas.contract import load_contract
from schemas.json_path import Step


def text_column(name: str, values: Sequence[Any], exactly: Callable[[int], Any], decimal: str = ".") -> pl.Series:
    """The texts of a field.

    Args:
        name: the field; those of numbers and times are computed with as floats, so any text of a number will do.
        values: its values.
        exactly: gives the value at an index once more, with its number as it is written.
        decimal: the decimal sign of the source's texts, which numbers that are computed with get too.

    >>> text_column("item_id", ["a", 7, 7.0, None], lambda _: 7).to_list()
    ['a', '7', '7', None]
    """
    texts = [value if type(value) is str else scalar_text(value) for value in values]
    if _base(name) not in _measures() and any(type(value) is float for value in values):
        for at, value in enumerate(values):
            if type(value) is float:
                texts[at] = scalar_text(exactly(at))
    elif decimal != "." and _base(name) in _measures():
        texts = [
            text.replace(".", decimal) if text is not None and type(value) is float else text
            for text, value in zip(texts, values, strict=True)
        ]
    try:
        return pl.Series(texts, dtype=pl.String)
    except UnicodeEncodeError:
        of_ids = _base(name) in IDS
        return pl.Series([text and whole_characters(text, of_ids) for text in texts], dtype=pl.String)


def list_column(values: Iterable[Any]) -> pl.Series:
    """The texts of a field that holds several; null for a value that is not a list.

    >>> list_column([["a", 2, None], "b"]).to_list()
    [['a', '2'], None]
    """
    return pl.Series([_texts(value) for value in values], dtype=pl.List(pl.String))


def inside_texts(name: str, texts: Iterable[str | None], steps: tuple[Step, ...]) -> pl.Series:
    """The values inside texts that hold JSON; null for a text that holds none.

    Args:
        name: the field that gets them.
        texts: the texts.
        steps: the path inside a text.

    >>> from schemas.json_path import steps_of
    >>> inside_texts("item_id", ['{"sku": "Q-77"}', "Q-78", None], steps_of("sku")).to_list()
    ['Q-77', None, None]
    """
    known = list(texts)
    get, get_exactly = Paths(quick).getter(steps), Paths(exact).getter(steps)
    return text_column(name, [get(text) for text in known], lambda at: get_exactly(known[at]))


def _texts(value: Any) -> list[str] | None:
    if type(value) is not list:
        return None
    return [whole_characters(text, False) for element in value if (text := scalar_text(element)) is not None]


def _base(name: str) -> str:
    """The column of which a field is a part, such as ``user_id`` for ``user_id.1``."""
    return name.partition(".")[0]


@lru_cache(maxsize=1)
def _measures() -> frozenset[str]:
    kinds = [item for table in ("events", "items") for item in load_contract(table).polars_schema.items()]
    return frozenset(name for name, kind in kinds if kind.is_numeric() or kind.is_temporal())
