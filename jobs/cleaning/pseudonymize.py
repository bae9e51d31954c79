"""Pseudonyms in place of raw user ids, in whole columns and inside other texts.

``schemas.privacy.pseudonyms`` says what a pseudonym is.
"""

import polars as pl

from schemas.privacy.pseudonyms import pseudonym

SHORTEST_TELLING_ID = 6


def pseudonyms(key: bytes, raw: pl.Series) -> pl.Series:
    """The pseudonyms of a column of raw user ids; a null stays a null. Few users do many things: each is hashed once."""
    distinct = raw.drop_nulls().unique()
    names = pl.Series([pseudonym(key, user) for user in distinct], dtype=pl.String)
    return raw.replace_strict(distinct, names, default=None, return_dtype=pl.String)


def with_pseudonyms(raw: pl.DataFrame, first_part: pl.Series | None, key: bytes) -> pl.DataFrame:
    """Raw user ids replaced by their pseudonyms, also where they stand inside another field. Short ids stand in any text.

    Where an id is joined from several parts, the first part alone (an address, say) tells who it is as well.
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
