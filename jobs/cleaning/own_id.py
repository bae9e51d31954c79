"""Find a person's own id inside another text, however it is written there: in another case, or percent-encoded.

Comparing follows full case folding (Unicode 15.0, section 3.13) and percent-encoding (RFC 3986, section 2.1), applied again to
what is decoded, since applications encode addresses inside addresses.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
BYTE = 3
"""Characters of a percent-encoded byte."""
MOST_ROUNDS = 4
"""How often a text is decoded at most."""
Places = list[tuple[int, int]]
"""For each character of a decoded text, where it begins and ends in the original."""


@lru_cache(maxsize=1 << 16)
def folded(text: str) -> str:
    """A text as it is compared: percent-decoded and case-folded.

    >>> folded("Anna%2540Shop.example"), folded("100%")
    ('anna@shop.example', '100%')
    """
    return _folded(text)


def _folded(text: str) -> str:
    for _ in range(MOST_ROUNDS):
        if "%" not in text or not ENCODED.search(text):
            break
        text = ENCODED.sub(lambda run: _decoded_run(run)[0], text)
    return text.casefold()


def _decoded_run(run: re.Match[str]) -> tuple[str, int | None]:
    """The characters of percent-encoded bytes, and the bytes of each character if that is a constant.

    Bytes that are not UTF-8 are read as Latin-1.
    """
    content = bytes.fromhex(run[0].replace("%", ""))
    try:
        return content.decode(), None
    except UnicodeDecodeError:
        return content.decode("latin-1"), 1


def replaced(text: str, own: str, name: str) -> str:
    """A text with each occurrence of a person's own id replaced.

    An id of digits only is not replaced inside a longer number, such as a time.

    Args:
        text: the text.
        own: the id, as given by :func:`folded`.
        name: the replacement.

    >>> replaced("/u/Anna%40Shop.example/orders", "anna@shop.example", "(anna)")
    '/u/(anna)/orders'
    >>> replaced("at 1433221332117, by 143322", "143322", "(anna)")
    'at 1433221332117, by (anna)'
    """
    if own not in _folded(text):
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
        part_of_number = own.isdigit() and (said[:at][-1:].isdigit() or said[end : end + 1].isdigit())
        if not part_of_number:
            yield at, end
        at = said.find(own, at + 1 if part_of_number else end)


def _folded_with_places(text: str) -> tuple[str, Places]:
    chars, places = text, [(at, at + 1) for at in range(len(text))]
    for _ in range(MOST_ROUNDS):
        if not ENCODED.search(chars):
            break
        chars, places = _decoded(chars, places)
    if chars.isascii():
        return chars.lower(), places
    pairs = [(part, place) for char, place in zip(chars, places, strict=True) for part in char.casefold()]
    return "".join(part for part, _ in pairs), [place for _, place in pairs]


def _decoded(text: str, places: Places) -> tuple[str, Places]:
    """A text with its percent-encoded characters decoded once."""
    chars, found, done = [], [], 0
    for run in ENCODED.finditer(text):
        chars.append(text[done : run.start()])
        found += places[done : run.start()]
        decoded, size = _decoded_run(run)
        at = run.start()
        for char in decoded:
            end = at + BYTE * (size or len(char.encode()))
            found.append((places[at][0], places[end - 1][1]))
            at = end
        chars.append(decoded)
        done = run.end()
    return "".join([*chars, text[done:]]), found + places[done:]
