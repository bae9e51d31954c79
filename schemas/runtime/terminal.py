"""Text from data for terminals and logs: it must neither control the terminal nor be read as markup."""

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

CONTROLLING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of control, format, surrogate and separator characters: escape sequences, changes of direction."""
JOINERS = frozenset("\u200c\u200d")
"""Format characters that words of some scripts, and emoji, need."""


def printable(text: object, keep: str = "") -> str:
    """A text with its control characters as visible escapes.

    Args:
        text: the text.
        keep: control characters to keep, such as line breaks.

    >>> printable("red \\x1b[31m, a \\u202e turn, naïve 日本")
    'red \\\\x1b[31m, a \\\\u202e turn, naïve 日本'
    """
    found = str(text)
    if found.isprintable():
        return found
    return "".join(char if char in keep or not _controls(char) else _escape(char) for char in found)


def _controls(char: str) -> bool:
    return unicodedata.category(char) in CONTROLLING and char not in JOINERS


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode() if char.isascii() else f"\\u{ord(char):04x}"


def literal(text: object) -> "Text":
    """A text for Rich as it is: without markup, emoji codes and control characters.

    >>> literal("[red]x[/] :smile: \\x07").plain
    '[red]x[/] :smile: \\\\x07'
    """
    from rich.text import Text

    return Text(printable(text))


def in_markup(text: object) -> str:
    """A text for a string of Rich markup.

    >>> in_markup("[/b] \\x1b")
    '\\\\[/b] \\\\x1b'
    """
    from rich.markup import escape

    return escape(printable(text))
