"""Columns of texts, made from values of JSON: exact where two values must not become one, and without half characters."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from jobs.landing.readers.frames import IDS, column_of, measures, measures_and_times
from jobs.landing.readers.json_values import Paths, exact, quick, scalar_text, whole_characters
from schemas.json_path import Step


def text_column(name: str, values: Sequence[Any], exactly: Callable[[int], Any], decimal: str = ".") -> pl.Series:
    """The texts of a field.

    Args:
        name: the field; those of numbers and times are computed with as floats, so any text of a number will do.
        values: its values.
        exactly: gives the value at an index once more, with its number as it is written.
        decimal: the decimal sign of the source's texts; numbers that are computed with get it too, to be read alike.

    >>> text_column("item_id", ["a", 7, 7.0, None], lambda _: 7).to_list()
    ['a', '7', '7', None]
    >>> text_column("value", ["4,5", 4.5], lambda _: 4.5, decimal=",").to_list()
    ['4,5', '4,5']
    """
    texts = [value if type(value) is str else scalar_text(value) for value in values]
    column = column_of(name)
    if column in measures():
        if decimal != ".":
            texts = [
                text.replace(".", decimal) if text is not None and type(value) in (float, Decimal) else text
                for text, value in zip(texts, values, strict=True)
            ]
    elif column not in measures_and_times() and any(type(value) is float for value in values):
        for at, value in enumerate(values):
            if type(value) is float:
                texts[at] = scalar_text(exactly(at))
    try:
        return pl.Series(texts, dtype=pl.String)
    except UnicodeEncodeError:
        return pl.Series([text and whole_characters(text, column in IDS) for text in texts], dtype=pl.String)


def list_column(values: Iterable[Any]) -> pl.Series:
    """The texts of a field that holds several; null for a value that is not a list.

    >>> list_column([["a", 2, None], "b"]).to_list()
    [['a', '2'], None]
    """
    return pl.Series([_texts(value) for value in values], dtype=pl.List(pl.String))


def inside_texts(name: str, texts: Iterable[str | None], steps: tuple[Step, ...], decimal: str = ".") -> pl.Series:
    """The values inside texts that hold JSON; null for a text that holds none.

    Args:
        name: the field that gets them.
        texts: the texts.
        steps: the path inside a text.
        decimal: as for :func:`text_column`.

    >>> from schemas.json_path import steps_of
    >>> inside_texts("item_id", ['{"sku": "Q-77"}', "Q-78", None], steps_of("sku")).to_list()
    ['Q-77', None, None]
    """
    known = list(texts)
    get, get_exactly = Paths(quick).getter(steps), Paths(exact).getter(steps)
    return text_column(name, [get(text) for text in known], lambda at: get_exactly(known[at]), decimal)


def _texts(value: Any) -> list[str] | None:
    if type(value) is not list:
        return None
    return [whole_characters(text, False) for element in value if (text := scalar_text(element)) is not None]
