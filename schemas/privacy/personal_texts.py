"""Recognise personal data in texts: addresses, telephone numbers, card numbers, bank accounts, keys and passwords, other ids.

Only forms that hardly anything else has are recognised, since logs and catalogues hold many other numbers:

- a telephone number needs its country code with ``+`` or ``00``, the groups of a North American number, or a word before it;
- a card number needs the prefix and the length of a card and a right check digit (ISO/IEC 7812-1, Luhn);
- a bank account is an IBAN with right check digits (ISO 13616-1, ISO 7064 MOD 97-10);
- a secret is a JSON Web Token (RFC 7519), a key with a known prefix, the value of a parameter such as ``token``,
  credentials in an address, the text after a word such as ``/reset/``, or a long random text;
- another person's id is the value of a parameter such as ``user_id``.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from schemas.privacy.percent_encoding import decoded, decoded_with_places
from schemas.privacy.pseudonyms import PSEUDONYM

if TYPE_CHECKING:
    import polars as pl

_SECRETS = (
    r"pass(?:word|wd|wort|ord|phrase|code)?|pwd|kennwort|secret|token|api[_-]?key|auth(?:orization)?|session(?:[_-]?id)?|sid|sig|signature"
    r"|csrf|xsrf|otp|jsessionid|phpsessid|jwt|credential"
)
_PERSONS = (
    r"(?:user|customer|member|visitor)(?:[_-]?(?:id|name|no|number))?|(?:client|account|person)[_-]?(?:id|no|number)|uid|userid|login|e?mail(?:[_-]?address)?|phone"
    r"|tel|mobile|ssn|iban"
)
_WORDS = r"tel(?:efon|ephone)?|phone|mobil(?:e)?|tlf|whatsapp|call me(?: at| on)?|fax|handy"
_LONG_HEX, _LONG_RANDOM, _LONG_HEX_IN_CODES = 32, 40, 40

LIKELY = (
    r"(?-u)@|\+[ (]{0,2}[1-9]|00[1-9][0-9]{0,2}[ /-]|eyJ|[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{4}|[A-Za-z0-9_+-]{28}"
    r"|glpat-|AIza|gh[pousr]_"
    r"|[0-9]{3}[-. ][0-9]{4}"
    r"|[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4}|_(?:live|test)_|AKIA|xox[abprs]-"
    rf"|(?i-u:{_SECRETS}|{_PERSONS})[\"']?[ \t]*[=:]|(?i-u:bearer|basic|{_WORDS})[ .:]"
    r"|(?i-u:reset|verif|confirm|activat|invit|unsubscribe|magic|token)[A-Za-z_-]*/"
)
"""Text without this holds none of the kinds; a quick test for whole columns, so it knows ASCII only."""
SHORTEST = 6
"""Bytes of the shortest text that may hold one: an address such as ``a@b.no``."""

EMAIL = re.compile(
    r"(?<![^\s@<>()\[\],;:\"'/?&=#|\\{}])"
    r"[^\s@<>()\[\],;:\"'/?&=#|\\{}]+@[^\s@<>()\[\],;:\"'/?&=#|\\{}]+\.[^\W\d_]{2,}",
    re.IGNORECASE,
)
PHONE = re.compile(r"(?<![\w+])\+\s?\(?[1-9]\d{0,2}\)?(?:[ ./()-]{0,2}\d){7,12}(?!\d)")
CARD = re.compile(r"(?<![\w.])(?:3[47]|[4-6]\d|2[2-7])(?:[ -]?\d){13,14}(?![\w.]*\d)(?!\w)")
_OTHER_PHONES = re.compile(
    r"(?<![\w.-])00[1-9]\d{0,2}[ /-](?:[ ./()-]{0,2}\d){7,12}(?![\w-])"
    r"|(?<![\w.-])(?:\([2-9]\d{2}\) ?\d{3}|[2-9]\d{2}[-. ][2-9]\d{2})[-. ]\d{4}(?![\w-])"
    rf"|(?i:(?<![a-z])(?:{_WORDS})\.?:?\s+(?:no\.?|nr\.?|number)?\s*)(\(?0?\d(?:[ ./()-]{{0,2}}\d){{6,12}})(?!\d)"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_JWT = re.compile(r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}")
_KNOWN_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:[spr]k_(?:live|test)_\w{10,}|gh[pousr]_\w{20,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}|AIza[\w-]{30,}"
    r"|glpat-[\w-]{16,})"
)
_AUTHORIZATION = re.compile(r"(?i)(?<![A-Za-z0-9])(?:bearer|basic)\s+([\w.~+/=-]{12,})")
_QUOTED_SECRET = re.compile(rf"(?i)[\"'][\w-]*(?:{_SECRETS})[\"']\s*:\s*[\"']([^\"']+)")
_QUOTED_PERSON = re.compile(rf"(?i)[\"'](?:{_PERSONS})[\"']\s*:\s*[\"']([^\"']+)")
_CREDENTIALS = re.compile(r"(?<=://)[^\s/@:]+:[^\s/]+(?=@)")
_SECRET_OF = re.compile(rf"(?i)(?<![\w-])[\w-]*(?:{_SECRETS})[\"']?\s*=\s*[\"']?([^&\s\"';,#}}]+)")
_PASSWORD = re.compile(
    r"(?i)(?<![A-Za-z])(?:password|passwort|passord|kennwort|pwd|api[ _-]?key|token)[\"']?\s*:\s*[\"']?([^\s\"',;&}]{4,})"
)
_SECRET_PATH = re.compile(
    r"(?i)/[a-z_-]*(?:reset|verif|confirm|activat|invit|unsubscribe|magic|token)[a-z_-]*/(?:[\w=-]{1,24}/)?([\w.~=-]{16,})"
)
_HEX = re.compile(rf"(?<![\w-])[0-9A-Fa-f]{{{_LONG_HEX},}}(?![\w-])")
_RANDOM = re.compile(rf"(?<![\w/+=-])[A-Za-z0-9_+-]{{{_LONG_RANDOM},}}={{0,2}}(?![\w-])")
_PERSON_OF = re.compile(rf"(?i)(?<![A-Za-z])(?:{_PERSONS})[\"']?\s*=\s*[\"']?([^&\s\"';,#}}]+)")
CARD_LENGTHS = {"3": 15}
USUAL_CARD_LENGTH = 16
MANY_CHANGES = 0.35
"""Share of neighbours of another kind (small letter, capital, digit): two thirds in a random text, a quarter in a title."""
IMAGE_SIZE = re.compile(r"@\d+(?:\.\d+)?x\.\w+$")
BARE = re.compile(r"[\w.:+-]*")
"""A text that is one code, such as an item's id: only addresses and tokens of known forms are recognised in it."""


def is_email(found: str) -> bool:
    """Whether a text is an address, and not the name of an image.

    >>> is_email("anna@people.example"), is_email("logo@2x.png")
    (True, False)
    """
    return not IMAGE_SIZE.search(found)


def is_card(found: str) -> bool:
    """Whether digits are a card number, by length and check digit.

    >>> is_card("4111 1111 1111 1111"), is_card("4111 1111 1111 1112"), is_card("9783161484100")
    (True, False, False)
    """
    digits = [int(char) for char in found if char.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    length = CARD_LENGTHS.get(found[:1], USUAL_CARD_LENGTH)
    return len(digits) == length and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(found: str) -> bool:
    """Whether a text is an IBAN, by its check digits.

    >>> is_iban("NO93 8601 1117 947"), is_iban("NO93 8601 1117 948")
    (True, False)
    """
    text = found.replace(" ", "")
    return len(text) >= 15 and int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


def is_random(found: str) -> bool:
    """Whether a long text is a random one: small letters, capitals and digits in no order.

    >>> is_random("Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZkdISUpLTE1OT1A"), is_random("Gold-Plated-Necklace-With-7-Small-Stones-2024")
    (True, False)
    """
    kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" if c.islower() else "-" for c in found]
    changes = sum(a != b and "-" not in (a, b) for a, b in pairwise(kinds))
    return {"d", "u", "l"} <= set(kinds) and changes >= MANY_CHANGES * len(found)


def is_key(found: str) -> bool:
    """Whether a text is a key rather than words with hyphens: many digits, or a random mixture.

    >>> is_key("c5p8x2-0123456789abcdef"), is_key("a2FyaTpwYXNz"), is_key("bamboo-charcoal-100g")
    (True, True, False)
    """
    return 5 * sum(char.isdigit() for char in found) > len(found) or is_random(found)


def _is_hex(found: str) -> bool:
    return any(c.isdigit() for c in found) and any(c.isalpha() for c in found)


def _is_longer_hex(found: str) -> bool:
    return len(found) >= _LONG_HEX_IN_CODES and _is_hex(found)


Kind = tuple[str, re.Pattern[str], Callable[[str], bool]]
KINDS: tuple[Kind, ...] = (
    ("an email address", EMAIL, is_email),
    ("a telephone number", PHONE, bool),
    ("a card number", CARD, is_card),
)
"""The kinds of personal data that a title of an item must not hold."""
IN_TOKENS: tuple[Kind, ...] = (
    ("secret", _CREDENTIALS, bool),
    ("secret", _JWT, bool),
    ("secret", _KNOWN_KEY, bool),
    ("secret", _AUTHORIZATION, is_key),
    ("email", EMAIL, is_email),
)
IN_TEXTS: tuple[Kind, ...] = (
    *IN_TOKENS,
    ("secret", _SECRET_OF, bool),
    ("secret", _PASSWORD, bool),
    ("secret", _QUOTED_SECRET, bool),
    ("person", _QUOTED_PERSON, bool),
    ("secret", _SECRET_PATH, is_key),
    ("person", _PERSON_OF, bool),
    ("iban", _IBAN, is_iban),
    ("card", CARD, is_card),
    ("phone", PHONE, bool),
    ("phone", _OTHER_PHONES, bool),
    ("secret", _RANDOM, is_random),
)


def personal_data_in(text: str) -> str | None:
    """The first kind of personal data in a text that everybody sees, such as a title, or None.

    >>> personal_data_in("from anna@people.example"), personal_data_in("call +49 (170) 123-4567")
    ('an email address', 'a telephone number')
    >>> personal_data_in("4-in-1 charger, 12+ years, C++ 4111 pages, @home") is None
    True
    """
    said = decoded(text)
    return next((kind for kind, form, holds in KINDS if any(holds(hit[0]) for hit in form.finditer(said))), None)


def redacted(text: str, of_item: bool = False, kept: Collection[str] = ()) -> tuple[str, list[str]]:
    """A text without personal data, each replaced by its kind in brackets, and the kinds.

    Args:
        text: the text, in which data may be percent-encoded.
        of_item: whether the text is an item's id, such as a page; the hash of a product's page is not a secret.
        kept: pseudonyms, which stay.

    >>> redacted("/u/kari%40example.org/orders?token=abc")
    ('/u/[email]/orders?token=[secret]', ['email', 'secret'])
    >>> redacted("pay 4111 1111 1111 1111 or NO93 8601 1117 947")
    ('pay [card] or [iban]', ['card', 'iban'])
    >>> redacted("4111111111111111", of_item=True)
    ('4111111111111111', [])
    """
    said = decoded(text)
    hits = sorted(_places(said, of_item))
    if kept:
        hits = [hit for hit in hits if not any(name in kept for name in PSEUDONYM.findall(said[hit[0] : hit[1]]))]
    if not hits:
        return text, []
    said, places = decoded_with_places(text)
    said_before, kinds, done, covered = [], [], 0, 0
    for begin, end, kind in hits:
        if begin >= covered:
            said_before += [text[done : places[begin][0]], f"[{kind}]"]
            kinds.append(kind)
            done, covered = places[end - 1][1], end
    return "".join([*said_before, text[done:]]), kinds


def _places(said: str, of_item: bool) -> Iterator[tuple[int, int, str]]:
    """Where personal data begins and ends in a text, and its kind."""
    longest = ("secret", _HEX, _is_longer_hex if of_item else _is_hex)
    for kind, form, holds in IN_TOKENS if of_item and BARE.fullmatch(said) else (*IN_TEXTS, longest):
        for hit in form.finditer(said):
            group = 1 if hit.re.groups and hit[1] is not None else 0
            if holds(hit[group]):
                yield hit.start(group), hit.end(group), kind


def redacted_texts(
    texts: "pl.Series", of_items: bool = False, names: "pl.Series | None" = None
) -> "tuple[pl.Series, Counter[str]]":
    """A column of texts without personal data, and how often each kind was replaced.

    Args:
        texts: the texts.
        of_items: whether they are ids of items.
        names: pseudonyms that may stand in them, and stay.

    >>> import polars as pl
    >>> texts, found = redacted_texts(pl.Series(["jam", "by bela@people.example", None]))
    >>> texts.to_list(), dict(found)
    (['jam', 'by [email]', None], {'email': 1})
    """
    found = Counter[str]()
    likely = likely_rows(texts)
    if not likely:
        return texts, found
    kept = frozenset[str]() if names is None else frozenset(names.unique())
    known: dict[str, tuple[str, list[str]]] = {}
    values, changed = texts.to_list(), False
    for row in likely:
        text = values[row]
        if text not in known:
            known[text] = redacted(text, of_items, kept)
        values[row], kinds = known[text]
        if kinds:
            changed = True
            found.update(kinds)
    import polars as pl

    return (pl.Series(texts.name, values, dtype=pl.String) if changed else texts), found


def likely_rows(texts: "pl.Series") -> list[int]:
    """The rows whose text may hold personal data, by a quick test.

    Args:
        texts: the texts.
    """
    import polars as pl

    if not (texts.str.len_bytes() >= SHORTEST).any():
        return []
    hits = texts.str.contains(LIKELY).fill_null(False)
    encoded = (texts.str.contains("%", literal=True).fill_null(False) & ~hits).arg_true()
    if not len(encoded):
        return hits.arg_true().to_list()
    said = pl.Series([decoded(text) for text in texts.gather(encoded)], dtype=pl.String)
    return sorted([*hits.arg_true(), *encoded.filter(said.str.contains(LIKELY))])


def holding_personal_data(texts: "pl.Series") -> "pl.Series":
    """Whether each text that everybody sees holds personal data; false for nulls.

    >>> import polars as pl
    >>> holding_personal_data(pl.Series(["Alien", "by bela@people.example", None])).to_list()
    [False, True, False]
    """
    import polars as pl

    found = pl.Series([False], dtype=pl.Boolean).new_from_index(0, len(texts))
    rows = [row for row in likely_rows(texts) if personal_data_in(texts[row]) is not None]
    return found.scatter(rows, True) if rows else found
