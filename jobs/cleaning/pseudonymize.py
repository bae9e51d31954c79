"""Replace raw user ids by pseudonyms, in whole columns and inside other texts.

``schemas.privacy.pseudonyms`` defines pseudonyms.
"""

from collections.abc import Mapping

import polars as pl

from jobs.cleaning.own_id import folded, replaced
from schemas.privacy.percent_encoding import ENCODED
from schemas.privacy.pseudonyms import pseudonym
from schemas.source import Source

SHORTEST_TELLING_ID = 6
"""Shorter ids are not searched for inside other texts, where they would occur by chance."""
TYPED = ("event_time", "event_type", "value", "position", "propensity")
"""Columns whose texts become times, numbers and words of the contract: an id cannot stand in them, only look like them."""
NOT_SEARCHED = ("line", "problem", "user_id", *TYPED)
NAMES_A_PERSON = r"(?i)@|%40|\d{6}|^\d{1,3}(?:\.\d{1,3}){3}$|^[\da-f]*:[\da-f]*:[\da-f:.]*$|[\da-f]{8}-[\da-f]{4}|[\da-f]{16}"
"""A part of an id that names a person wherever it stands: an address, a long number, or a random text."""
CODE = r"^[\w.:-]*$"
"""An item's number or code; other item ids are pages or texts, in which a number may be the person's."""
NUMBER = r"^\d+$"


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


def telling_parts(parts: Mapping[str, pl.Series], source: Source) -> list[pl.Series]:
    """Of a user id that is made from several fields, the values that name the person by themselves.

    If the mapping has ``person``, these are the values of its paths. Otherwise a field does not name the person, such as a
    site or a user agent, if it is mapped to another column too, or if it has fewer values than another field and on average
    two persons or more share a value. Of such a field only the values count that look like :data:`NAMES_A_PERSON`.

    Args:
        parts: path -> the raw values.
        source: the mapping.
    """
    person = source.columns["user_id"].person
    if person is not None:
        return [values.cast(pl.String) for path, values in parts.items() if path in person]
    frame = pl.DataFrame([values.cast(pl.String).alias(path) for path, values in parts.items()])
    mapped = {path for name, column in source.columns.items() if name != "user_id" for path in [column.path] if path}
    counts, persons = {path: frame[path].n_unique() for path in parts}, frame.n_unique() if parts else 0
    shared = {path for path in parts if counts[path] < max(counts.values()) and 2 * counts[path] <= persons}
    named = {
        path: pl.when(pl.col(path).str.contains(NAMES_A_PERSON)).then(pl.col(path)) for path in {*mapped, *shared} & set(parts)
    }
    return frame.with_columns(**named).get_columns()


def with_pseudonyms(raw: pl.DataFrame, parts: list[pl.Series], key: bytes) -> pl.DataFrame:
    """Replace raw user ids by their pseudonyms, also where they occur inside another text, in any case or percent-encoded.

    Typed columns are not searched, and neither are the numbers and codes of items: that an item has a person's number says
    nothing about the person.

    Args:
        raw: the raw columns, with ``user_id``.
        parts: the parts of an id made from several fields that name the person too, see :func:`telling_parts`.
        key: the secret key.

    >>> log = pl.DataFrame({"user_id": ["ann@mail.example"], "text": ["hi, Ann%40mail.example here"]})
    >>> safe = with_pseudonyms(log, [], b"secret")
    >>> safe["text"][0] == f"hi, {safe['user_id'][0]} here"
    True
    """
    person = raw["user_id"].cast(pl.String)
    names = pseudonyms(key, person)
    others = [name for name, kind in raw.schema.items() if kind == pl.String and name not in NOT_SEARCHED]
    for own in (person, *(part for part in parts if not part.equals(person))):
        raw = without_ids(raw, others, own, names)
    return raw.with_columns(user_id=names)


def without_ids(raw: pl.DataFrame, columns: list[str], who: pl.Series, names: pl.Series) -> pl.DataFrame:
    """Texts without the ids ``who``; a quick search finds the few rows in which they may occur.

    Args:
        raw: the raw columns.
        columns: the columns to search.
        who: the id, or a part of it, of each row.
        names: the pseudonym of each row.
    """
    low = who.str.to_lowercase()
    odd = low.str.contains(ENCODED.pattern) | (low.str.len_bytes() != low.str.len_chars())
    telling = low.str.len_chars() >= SHORTEST_TELLING_ID
    own, ids, marks = pl.col("_who"), who.to_list(), names.to_list()
    frame = raw.with_columns(low.alias("_who"), odd.alias("_odd"), telling.alias("_telling"))
    for name in columns:
        text = pl.col(name)
        encoded = text.str.contains("%", literal=True)
        beyond_ascii = text.str.len_bytes() != text.str.len_chars()
        may_hold = text.str.to_lowercase().str.contains(own, literal=True) | encoded | beyond_ascii | pl.col("_odd")
        wanted = may_hold & pl.col("_telling") & text.is_not_null()
        if name in TYPED:
            wanted &= ~own.str.contains(NUMBER)
        if name == "item_id":
            wanted &= ~(text.str.contains(CODE) & own.str.contains(NUMBER))
        rows = frame.select(wanted.fill_null(False)).to_series().arg_true().to_list()
        if rows:
            texts = raw[name].to_list()
            for row in rows:
                texts[row] = replaced(texts[row], folded(ids[row]), marks[row])
            raw = raw.with_columns(pl.Series(name, texts, dtype=pl.String))
    return raw
