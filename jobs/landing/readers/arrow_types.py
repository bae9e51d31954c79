"""Arrow's types as types that Polars has: a file may have columns of any type, also those that Polars cannot represent."""

import polars as pl
import pyarrow as pa
from polars.exceptions import PanicException, PolarsError

NOT_CONVERTED = (pa.ArrowException, PolarsError, PanicException, TypeError, ValueError)
"""The errors of a conversion. Polars panics at some types, such as integers of 256 bits."""


def plain(kind: pa.DataType) -> pa.DataType:
    """The type to which values are cast before Polars gets them.

    Bytes become text that need not be valid UTF-8; the reader checks it.

    >>> plain(pa.timestamp("ns", "+05:30")), plain(pa.list_(pa.decimal256(60, 2))), plain(pa.binary(16))
    (TimestampType(timestamp[ns, tz=UTC]), ListType(list<item: double>), DataType(string))
    """
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    if pa.types.is_decimal256(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp(kind.unit, "UTC")
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(plain(field.type)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(plain(kind.key_type), plain(kind.item_type))
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(plain(kind.value_type)))
    if pa.types.is_large_list(kind):
        return pa.large_list(kind.value_field.with_type(plain(kind.value_type)))
    return kind


def as_plain(values: pa.Array) -> pa.Array:
    """Values in their plain type; bytes are taken as text unchecked."""
    kind = plain(values.type)
    if kind == values.type:
        return values
    if pa.types.is_dictionary(values.type):
        return as_plain(values.dictionary_decode())
    if pa.types.is_string(kind):
        values = values.cast(pa.binary())
    return values.cast(kind, safe=False)


def polars_schema(schema: pa.Schema) -> pl.Schema:
    """The columns that Polars can represent; the others count as absent."""
    found = {}
    for field in schema:
        try:
            found[field.name] = pl.DataFrame({field.name: as_plain(pa.array([], field.type))}).schema[field.name]
        except NOT_CONVERTED:
            continue
    return pl.Schema(found)
