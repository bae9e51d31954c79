"""Pseudonyms: raw user ids become keyed hashes (HMAC-SHA-256, RFC 2104), the same for the same person on every day."""

import hmac

import polars as pl


def pseudonym(key: bytes, raw_user_id: str) -> str:
    """64 hex digits that stand for a user; without the key nobody can tell for whom."""
    return hmac.digest(key, raw_user_id.encode(), "sha256").hex()


def pseudonyms(key: bytes, raw: pl.Series) -> pl.Series:
    """The pseudonyms of a column of raw user ids; a null stays a null. Few users do many things: each is hashed once."""
    distinct = raw.drop_nulls().unique()
    names = pl.Series([pseudonym(key, user) for user in distinct], dtype=pl.String)
    return raw.replace_strict(distinct, names, default=None, return_dtype=pl.String)
