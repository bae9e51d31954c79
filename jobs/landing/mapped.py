"""The fields that a mapping's columns read, and the raw values that columns make of them."""

import hashlib
from collections.abc import Mapping
from urllib.parse import unquote

import polars as pl

from schemas.privacy.percent_encoding import ENCODED
from schemas.source_parts import Column


def parts_of(name: str, column: Column) -> list[str]:
    """The names of a column's input fields; the first is the column's own name.

    Args:
        name: the column.
        column: its mapping.

    >>> parts_of("user_id", Column(paths=("site", "uid")))
    ['user_id', 'user_id.1']
    """
    return [name if number == 0 else f"{name}.{number}" for number in range(len(column.origins))]


def fields_of(columns: Mapping[str, Column]) -> dict[str, str]:
    """The fields that a reader must return for some columns: field -> path.

    >>> fields_of({"user_id": Column(first_of=("userId", "anonymousId")), "surface": Column(constant="shop")})
    {'user_id': 'userId', 'user_id.1': 'anonymousId'}
    """
    return {
        part: where
        for name, column in columns.items()
        for part, where in zip(parts_of(name, column), column.origins, strict=True)
    }


def value_of(name: str, column: Column, raw: pl.DataFrame) -> pl.Expr:
    """The raw value of a column: parts joined, the first that is there, or a constant; decoded, translated, with its default.

    Args:
        name: the column.
        column: its mapping.
        raw: its fields; blank texts are null there.

    >>> raw = pl.DataFrame({"country": [None, "Norge"], "country.1": ["T%C3%BCrkiye", "Sverige"]})
    >>> column = Column(first_of=("a", "b"), url_decoded=True, values={"Norge": "NO", "Türkiye": "TR"})
    >>> raw.select(value_of("country", column, raw))["country"].to_list()
    ['TR', 'NO']
    """
    value = pl.lit(column.constant) if column.constant is not None else pl.col(name)
    parts = parts_of(name, column)
    if column.paths is not None:
        joined = pl.concat_str(parts, separator=column.joined_by, ignore_nulls=True)
        value = pl.when(pl.col(name).is_not_null()).then(joined)
    elif column.first_of is not None:
        value = pl.coalesce(*(pl.col(part).cast(_common({raw.schema[part] for part in parts})) for part in parts))
    if column.url_decoded:
        value = value.cast(pl.String).map_batches(decoded, return_dtype=pl.String)
    if column.values:
        value = value.cast(pl.String).replace(column.values)
    if column.default is not None:
        value = value.cast(pl.String).fill_null(column.default)
    if column.digest:
        value = value.cast(pl.String).map_batches(digests, return_dtype=pl.String)
    return value.alias(name)


def _common(kinds: set[pl.DataType]) -> pl.DataType:
    """The type of values of which the first counts: numbers of several kinds stay numbers."""
    if len(kinds) == 1:
        return next(iter(kinds))
    return pl.Float64() if all(kind.is_numeric() for kind in kinds) else pl.String()


def digests(texts: pl.Series) -> pl.Series:
    """The SHA-256 of each text; null for null.

    >>> digests(pl.Series(["a", None])).to_list()[0][:8]
    'ca978112'
    """
    made = [None if text is None else hashlib.sha256(text.encode()).hexdigest() for text in texts]
    return pl.Series(texts.name, made, dtype=pl.String)


def decoded(texts: pl.Series) -> pl.Series:
    """Texts with percent-encoded characters decoded (RFC 3986, section 2.1), trimmed; a blank one becomes null.

    A text with bytes that are not UTF-8 stays as it is, so that two texts never become one.

    >>> decoded(pl.Series(["/caf%C3%A9", "/a%2Fb", "%e9", "100%", "%20"])).to_list()
    ['/café', '/a/b', '%e9', '100%', None]
    """
    encoded = texts.filter(texts.str.contains(ENCODED.pattern).fill_null(False)).unique()
    if encoded.is_empty():
        return texts
    plain = pl.Series([_unquoted(text) for text in encoded], dtype=pl.String)
    return texts.replace(encoded, plain)


def _unquoted(text: str) -> str | None:
    try:
        return unquote(text, errors="strict").strip() or None
    except UnicodeDecodeError:
        return text
