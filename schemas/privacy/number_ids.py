"""Ids that a spreadsheet or a data frame turned into numbers: 17850 delivered as 17850.0 or 1.785e+04 is the same id.

A rounded number may stand for several ids, so it is not an id: 64-bit floating-point numbers (IEEE 754) hold whole numbers
up to 2 to the power of 53, and an exponent after exactly six or seven digits is a number that ``%g``, a spreadsheet or R has
rounded.
"""

import re

LARGEST_EXACT = 2**53
ROUNDED_DIGITS = (6, 7)
_WHOLE = re.compile(r"([+-]?)(0|[1-9]\d*)\.0+")
_WITH_EXPONENT = re.compile(r"([+-]?)([1-9])(?:\.(\d+))?[eE]([+]?\d{1,3})")


def exact_id(text: str) -> tuple[str | None, bool]:
    """An id, as a whole number if it is written as one, and whether it is a rounded number; a rounded one is None.

    >>> exact_id("17850.0"), exact_id("1.785e4"), exact_id("1.10"), exact_id("1e4")
    (('17850', False), ('17850', False), ('1.10', False), ('1e4', False))
    >>> exact_id("1.785000e+04")
    ('17850', False)
    >>> exact_id("1.23457E+12"), exact_id("18446744073709551616.0")
    ((None, True), (None, True))
    """
    if whole := _WHOLE.fullmatch(text):
        sign, digits = whole[1].removeprefix("+"), whole[2]
        return (None, True) if int(digits) >= LARGEST_EXACT else (sign + digits, False)
    exponent = _WITH_EXPONENT.fullmatch(text)
    if exponent is None or not (exponent[3] or exponent[4].startswith("+")):
        return text, False  # 1e4 may be the digits of a hash
    sign, first, decimals, power = exponent[1].removeprefix("+"), exponent[2], (exponent[3] or "").rstrip("0"), int(exponent[4])
    if power < len(decimals):
        return text, False
    written = len(exponent[3] or "")
    cut = power > written and written + 1 in ROUNDED_DIGITS
    number = int(first + decimals) * 10 ** (power - len(decimals))
    return (None, True) if cut or number >= LARGEST_EXACT else (f"{sign}{number}", False)
