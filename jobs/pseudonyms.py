"""Pseudonyms: raw user ids become keyed hashes (HMAC-SHA-256, RFC 2104), the same for the same person on every day."""

import hmac
from collections.abc import Callable

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql.pandas.functions import arrow_udf


def pseudonym(key: bytes, raw_user_id: str) -> str:
    """64 hex digits that stand for a user; without the key nobody can tell for whom."""
    return hmac.digest(key, raw_user_id.encode(), "sha256").hex()


def pseudonym_of(key: bytes) -> Callable[[Column], Column]:
    """A function from a column of raw user ids to their pseudonyms; a null stays a null.

    The work is done in Python, not in a Spark expression, so that the key never stands in a query plan, which logs may show.
    """

    def of_array(raw: pa.Array) -> pa.Array:
        distinct = raw.dictionary_encode()  # few users do many things
        names = [pseudonym(key, user) for user in distinct.dictionary.to_pylist()]
        return pa.DictionaryArray.from_arrays(distinct.indices, pa.array(names, pa.string())).cast(pa.string())

    of_array.__annotations__ = {"raw": pa.Array, "return": pa.Array}
    return arrow_udf(of_array, returnType="string")  # type: ignore[call-overload, no-any-return]
