"""Replace raw user ids by pseudonyms, in whole columns and inside other texts.

``schemas.privacy.pseudonyms`` defines pseudonyms.
"""

import polars as pl

from schemas.privacy.pseudonyms import pseudonym

SHORTEST_TELLING_ID = 6
"""Shorter ids are not searched for inside other texts, where they would occur by chance."""


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
    """Replace raw user ids by their pseudonyms, also where they occur inside another field.

    Args:
        raw: the raw columns, with ``user_id``.
        first_part: the first part (such as an IP address) of an id joined from several; it identifies the user, too.
        key: the secret key.

    >>> log = pl.DataFrame({"user_id": ["ann@mail.example"], "text": ["hi, ann@mail.example here"]})
    >>> safe = with_pseudonyms(log, None, b"secret")
    >>> safe["text"][0] == f"hi, {safe['user_id'][0]} here"
    True
    """
    person = raw["user_id"].cast(pl.String)
    names = pseudonyms(key, person)
    others = [n for n, kind in raw.schema.items() if kind == pl.String and n not in ("line", "problem", "user_id")]
    raw = _replaced(raw, others, person, names)
    if first_part is not None and not (telling := first_part.cast(pl.String)).equals(person):
        raw = _replaced(raw, others, telling, names)
    return raw.with_columns(user_id=names)


def _replaced(raw: pl.DataFrame, others: list[str], who: pl.Series, names: pl.Series) -> pl.DataFrame:
    frame = raw.with_columns(_who=who)
    telling = pl.col("_who").str.len_chars() >= SHORTEST_TELLING_ID
    inside = frame.select((pl.col(others).str.contains(pl.col("_who"), literal=True) & telling).fill_null(False))
    for name in others:
        if inside[name].any():
            rows = zip(raw[name], who, names, inside[name], strict=True)
            texts = [text.replace(who_, name_) if found else text for text, who_, name_, found in rows]
            raw = raw.with_columns(pl.Series(name, texts, dtype=pl.String))
    return raw
