"""Recognise personal data in texts that everybody sees, such as titles: addresses, telephone numbers, card numbers.

Only forms that hardly anything else has are recognised: a telephone number needs its country code, a card number the prefix and
the length of a card and a right check digit (ISO/IEC 7812-1, Luhn), since catalogues hold many other numbers.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    import polars as pl

LIKELY = r"(?i)@|%40|\+\s*\(?[1-9]|[2-6](?:[ -]?\d){13}"
"""Text without this holds none of the kinds; a quick test for whole columns."""
EMAIL = re.compile(r"[^\s@<>()\[\],;:\"]+@[^\s@<>()\[\],;:\"/]+\.[^\W\d_]{2,}", re.IGNORECASE)
PHONE = re.compile(r"(?<![\w+])\+\s?\(?[1-9]\d{0,2}\)?(?:[ ./()-]{0,2}\d){7,12}(?!\d)")
CARD = re.compile(r"(?<!\d)(?:3[47]|[4-6]\d|2[2-7])(?:[ -]?\d){11,14}(?!\d)")
CARD_LENGTHS = (15, 16)


def is_card(found: str) -> bool:
    """Whether digits are a card number, by length and check digit.

    >>> is_card("4111 1111 1111 1111"), is_card("4111 1111 1111 1112"), is_card("9783161484100")
    (True, False, False)
    """
    digits = [int(char) for char in found if char.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return len(digits) in CARD_LENGTHS and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


KINDS: dict[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    "an email address": (EMAIL, bool),
    "a telephone number": (PHONE, bool),
    "a card number": (CARD, is_card),
}


def personal_data_in(text: str) -> str | None:
    """The first kind of personal data in a text, or None.

    >>> personal_data_in("from anna@people.example"), personal_data_in("call +49 (170) 123-4567")
    ('an email address', 'a telephone number')
    >>> personal_data_in("4-in-1 charger, 12+ years, C++ 4111 pages, @home") is None
    True
    """
    said = unquote(text)
    return next((kind for kind, (form, holds) in KINDS.items() if any(holds(hit[0]) for hit in form.finditer(said))), None)


def holding_personal_data(texts: "pl.Series") -> "pl.Series":
    """Whether each text holds personal data; false for nulls.

    >>> import polars as pl
    >>> holding_personal_data(pl.Series(["Alien", "by bela@people.example", None])).to_list()
    [False, True, False]
    """
    import polars as pl

    hits = texts.str.contains(LIKELY).fill_null(False).to_list()
    rows = zip(texts.to_list(), hits, strict=True)
    return pl.Series([likely and personal_data_in(text) is not None for text, likely in rows], dtype=pl.Boolean)
