"""Replace raw user ids by pseudonyms, in whole columns and inside other texts.

``schemas.privacy.pseudonyms`` defines pseudonyms.
"""

import polars as pl

from jobs.cleaning.own_id import folded, replaced
from schemas.privacy.pseudonyms import pseudonym

SHORTEST_TELLING_ID = 6
"""Shorter ids are not searched for inside other texts, where they would occur by chance."""
NOT_SEARCHED = ("line", "problem", "user_id", "event_time", "event_type")
"""Columns that keep no text: a time is parsed, and an event type becomes one of the contract's."""
PERCENT_ENCODED = "%[0-9A-Fa-f]{2}"


def pseudonyms(key: bytes, raw: pl.Series) -> pl.Series:
    """The pseudonyms of a column of raw user ids; nulls stay null. Each distinct user is hashed once.

    Args:
        key: the secret key.
        raw: raw user ids, texts.

    >>> names = pseudonyms(b"secret", pl.Series(["ann", None, "ann", "bob"]))
    >>> names[0] == names[2], names[0] == names[3], names[1]
    (True, False, None)
    """
    distinct = raw.drop_nulls().unique()
    names = pl.Series([pseudonym(key, user) for user in distinct], dtype=pl.String)
    return raw.replace_strict(distinct, names, default=None, return_dtype=pl.String)


def with_pseudonyms(raw: pl.DataFrame, first_part: pl.Series | None, key: bytes) -> pl.DataFrame:
    """Replace raw user ids by their pseudonyms, also where they occur inside another field, in any case or percent-encoded.

    Args:
        raw: the raw columns, with ``user_id``.
        first_part: the first part (such as an IP address) of an id joined from several; it identifies the user, too.
        key: the secret key.

    >>> log = pl.DataFrame({"user_id": ["ann@mail.example"], "text": ["hi, Ann%40mail.example here"]})
    >>> safe = with_pseudonyms(log, None, b"secret")
    >>> safe["text"][0] == f"hi, {safe['user_id'][0]} here"
    True
    """
    person = raw["user_id"].cast(pl.String)
    names = pseudonyms(key, person)
    others = [name for name, kind in raw.schema.items() if kind == pl.String and name not in NOT_SEARCHED]
    raw = _replaced(raw, others, person, names)
    if first_part is not None and not (telling := first_part.cast(pl.String)).equals(person):
        raw = _replaced(raw, others, telling, names)
    return raw.with_columns(user_id=names)


def _replaced(raw: pl.DataFrame, others: list[str], who: pl.Series, names: pl.Series) -> pl.DataFrame:
    """Texts without the ids ``who``; a quick search finds the few rows in which they may occur."""
    own = pl.col("_who")
    frame, ids, marks = raw.with_columns(_who=who.str.to_lowercase()), who.to_list(), names.to_list()
    for name in others:
        text = pl.col(name)
        encoded = text.str.contains(PERCENT_ENCODED) | own.str.contains(PERCENT_ENCODED)
        beyond_ascii = (text.str.len_bytes() != text.str.len_chars()) | (own.str.len_bytes() != own.str.len_chars())
        may_hold = text.str.to_lowercase().str.contains(own, literal=True) | encoded | beyond_ascii
        telling = own.str.len_chars() >= SHORTEST_TELLING_ID
        rows = frame.select((may_hold & telling & text.is_not_null()).fill_null(False)).to_series().arg_true().to_list()
        if rows:
            texts = raw[name].to_list()
            for row in rows:
                texts[row] = replaced(texts[row], folded(ids[row]), marks[row])
            raw = raw.with_columns(pl.Series(name, texts, dtype=pl.String))
    return raw
