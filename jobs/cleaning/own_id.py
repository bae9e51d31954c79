"""Find a person's own id inside another text, however it is written there: in another case, or percent-encoded.

Comparing follows full case folding (Unicode 15.0, section 3.13) and percent-encoding, see ``schemas.privacy.percent_encoding``.
"""

from collections.abc import Iterator
from functools import lru_cache

from schemas.privacy.percent_encoding import Places, decoded, decoded_with_places


@lru_cache(maxsize=1 << 16)
def folded(text: str) -> str:
    """A text as it is compared: percent-decoded and case-folded.

    >>> folded("Anna%2540Shop.example"), folded("100%")
    ('anna@shop.example', '100%')
    """
    return decoded(text).casefold()


def replaced(text: str, own: str, name: str) -> str:
    """A text with each occurrence of a person's own id replaced.

    An id inside a longer word or number is not replaced: 143322 stands by chance in the time 1433221332117.

    Args:
        text: the text.
        own: the id, as given by :func:`folded`.
        name: the replacement.

    >>> replaced("/u/Anna%40Shop.example/orders", "anna@shop.example", "(anna)")
    '/u/(anna)/orders'
    >>> replaced("at 1433221332117, by 143322", "143322", "(anna)")
    'at 1433221332117, by (anna)'
    """
    if own not in decoded(text).casefold():
        return text
    said, places = _folded_with_places(text)
    kept, done = [], 0
    for begin, end in _found(said, own):
        first, last = places[begin][0], places[end - 1][1]
        if first >= done:
            kept += [text[done:first], name]
            done = last
    return "".join([*kept, text[done:]])


def _found(said: str, own: str) -> Iterator[tuple[int, int]]:
    """Where an id begins and ends in a folded text, from left to right, without overlaps."""
    at = said.find(own) if own else -1
    while at >= 0:
        end = at + len(own)
        inside = _one_word(said[:at][-1:], own[:1]) or _one_word(own[-1:], said[end : end + 1])
        if not inside:
            yield at, end
        at = said.find(own, at + 1 if inside else end)


def _one_word(left: str, right: str) -> bool:
    """Whether two neighbours belong to one word or number. Scripts without capitals may be written without blanks."""
    return all(char.isdigit() or char.lower() != char.upper() for char in (left, right))


def _folded_with_places(text: str) -> tuple[str, Places]:
    chars, places = decoded_with_places(text)
    if chars.isascii():
        return chars.lower(), places
    pairs = [(part, place) for char, place in zip(chars, places, strict=True) for part in char.casefold()]
    return "".join(part for part, _ in pairs), [place for _, place in pairs]
