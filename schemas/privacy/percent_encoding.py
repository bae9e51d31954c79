"""Percent-encoded texts (RFC 3986, section 2.1), decoded together with the places of their characters in the original.

Decoding is applied again to what is decoded, since applications encode addresses inside addresses.
"""

import re

ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
BYTE = 3
"""Characters of a percent-encoded byte."""
MOST_ROUNDS = 4
"""How often a text is decoded at most."""
Places = list[tuple[int, int]]
"""For each character of a decoded text, where it begins and ends in the original."""


def decoded(text: str) -> str:
    """A text without percent-encoding.

    >>> decoded("anna%2540shop.example"), decoded("100%")
    ('anna@shop.example', '100%')
    """
    for _ in range(MOST_ROUNDS):
        if "%" not in text or not ENCODED.search(text):
            break
        text = ENCODED.sub(lambda run: _decoded_run(run)[0], text)
    return text


def decoded_with_places(text: str) -> tuple[str, Places]:
    """A text without percent-encoding, and the place of each of its characters in the original.

    >>> decoded_with_places("a%40b")
    ('a@b', [(0, 1), (1, 4), (4, 5)])
    """
    chars, places = text, [(at, at + 1) for at in range(len(text))]
    for _ in range(MOST_ROUNDS):
        if not ENCODED.search(chars):
            break
        chars, places = _decoded_once(chars, places)
    return chars, places


def _decoded_run(run: re.Match[str]) -> tuple[str, int | None]:
    """The characters of percent-encoded bytes, and the bytes of each character if that is a constant.

    Bytes that are not UTF-8 are read as Latin-1.
    """
    content = bytes.fromhex(run[0].replace("%", ""))
    try:
        return content.decode(), None
    except UnicodeDecodeError:
        return content.decode("latin-1"), 1


def _decoded_once(text: str, places: Places) -> tuple[str, Places]:
    """A text with its percent-encoded characters decoded once."""
    chars, found, done = [], [], 0
    for run in ENCODED.finditer(text):
        chars.append(text[done : run.start()])
        found += places[done : run.start()]
        said, size = _decoded_run(run)
        at = run.start()
        for char in said:
            end = at + BYTE * (size or len(char.encode()))
            found.append((places[at][0], places[end - 1][1]))
            at = end
        chars.append(said)
        done = run.end()
    return "".join([*chars, text[done:]]), found + places[done:]
