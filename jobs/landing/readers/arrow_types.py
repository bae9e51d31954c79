"""Arrow's values as values that Polars has: a file may have columns of any type, also those that Polars cannot represent.

Polars panics at some types, reads others as nulls without a word, and holds only valid UTF-8 as text. So every value becomes
one of a type that it has, and a value that is not text costs its own row.
"""

from collections.abc import Callable

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from polars.exceptions import PanicException, PolarsError

NOT_CONVERTED = (pa.ArrowException, PolarsError, PanicException, TypeError, ValueError)
"""The errors of a conversion."""
UUID_BYTES = 16
MOST_DIGITS = 38
"""Decimal digits of 128 bits, the most that Polars has."""

Bad = np.ndarray | None
"""Which values hold bytes that are not text; None if none does."""


def as_plain(values: pa.Array) -> tuple[pa.Array, Bad]:
    """Values in a type that Polars has; a value with bytes that are not UTF-8 has nulls in their place.

    Bytes become text, or a UUID where they are 16 and are not text (RFC 9562). A map becomes a list of its keys and values.

    >>> as_plain(pa.array([b"ann", b"zo\\xeb"]))[1].tolist()
    [False, True]
    >>> as_plain(pa.array([bytes(range(16))], pa.binary(16)))[0].to_pylist()
    ['00010203-0405-0607-0809-0a0b0c0d0e0f']
    """
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return (_uuids(values.storage, False), None) if kind == pa.uuid() else as_plain(values.storage)
    if pa.types.is_dictionary(kind):
        words, bad = as_plain(values.dictionary)
        of_values = None if bad is None else pa.array(bad).take(values.indices).fill_null(False)
        return words.take(values.indices), None if of_values is None else of_values.to_numpy(zero_copy_only=False)
    if pa.types.is_struct(kind):
        return _struct(values)
    if _is_list(kind):
        return _list(values)
    if pa.types.is_fixed_size_binary(kind) and kind.byte_width == UUID_BYTES:
        return _uuids(values, True), None
    if _is_text(kind):
        return _text(values)
    plain = values.cast(_scalar(kind), safe=False)
    if pa.types.is_decimal256(kind):
        plain = pc.replace_substring_regex(plain, r"(\.\d*?)0+$", r"\1")
        plain = pc.utf8_rtrim(plain, ".")
    return plain, None


def _is_list(kind: pa.DataType) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list, pa.types.is_map)
    return any(test(kind) for test in (*tests, pa.types.is_list_view, pa.types.is_large_list_view))


def _is_text(kind: pa.DataType) -> bool:
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    binary = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(test(kind) for test in (*texts, *binary))


def _scalar(kind: pa.DataType) -> pa.DataType:
    """The type of numbers and times that Polars has."""
    if pa.types.is_decimal(kind):
        return pa.string() if pa.types.is_decimal256(kind) else pa.decimal128(MOST_DIGITS, kind.scale)
    if pa.types.is_date64(kind):
        return pa.date32()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("ms" if kind.unit == "s" else kind.unit, kind.tz and "UTC")
    if pa.types.is_duration(kind) and kind.unit == "s":
        return pa.duration("ms")
    return kind


def _text(values: pa.Array) -> tuple[pa.Array, Bad]:
    kind = values.type
    try:
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            values.validate(full=True)
            return values, None
        text = values.cast(pa.large_string())
        text.validate(full=True)
        return text, None
    except pa.ArrowInvalid:
        raw = values.cast(pa.large_binary()).to_pylist()
    texts = [_decoded(content) for content in raw]
    bad = np.array([text is None and content is not None for text, content in zip(texts, raw, strict=True)], dtype=bool)
    return pa.array(texts, pa.large_string()), bad


def _decoded(content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        return None


def _uuids(values: pa.Array, may_be_text: bool) -> pa.Array:
    """The canonical form of UUIDs; what can be printed stays as it is if it ``may_be_text``."""
    found = []
    for content in values.to_pylist():
        text = _decoded(content) if may_be_text else None
        if content is not None and (text is None or not text.isprintable()):
            code = content.hex()
            text = f"{code[:8]}-{code[8:12]}-{code[12:16]}-{code[16:20]}-{code[20:]}"
        found.append(text)
    return pa.array(found, pa.large_string())


def _struct(values: pa.StructArray) -> tuple[pa.Array, Bad]:
    bad = np.zeros(len(values), dtype=bool)
    fields = []
    for field in values.flatten():
        plain, wrong = as_plain(field)
        fields.append(plain)
        if wrong is not None:
            bad |= wrong
    names = [field.name for field in values.type]
    if not fields:
        return pa.nulls(len(values)), None
    return pa.StructArray.from_arrays(fields, names, mask=values.is_null()), bad if bad.any() else None


def _list(values: pa.Array) -> tuple[pa.Array, Bad]:
    """A list, of any of Arrow's kinds of lists; a map is a list of structs with ``key`` and ``value``."""
    values = entries_of(values)
    lengths = pc.list_value_length(values).fill_null(0).to_numpy(zero_copy_only=False)
    inner = values.flatten()
    plain, wrong = as_plain(inner)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    lists = pa.LargeListArray.from_arrays(offsets, plain, mask=values.is_null())
    if wrong is None:
        return lists, None
    bad = np.zeros(len(values), dtype=bool)
    bad[np.repeat(np.arange(len(values)), lengths)[wrong]] = True
    return lists, bad


def entries_of(values: pa.Array) -> pa.Array:
    """A map as a list of its keys and values; other lists stay as they are."""
    kind = values.type
    if not pa.types.is_map(kind):
        return values
    return values.cast(pa.large_list(pa.struct({"key": kind.key_type, "value": kind.item_type})))


def polars_schema(schema: pa.Schema) -> pl.Schema:
    """The columns that Polars can represent; the others count as absent."""
    found = {}
    for field in schema:
        try:
            plain, _ = as_plain(pa.schema([field]).empty_table().column(0).combine_chunks())
            found[field.name] = pl.DataFrame({field.name: plain}).schema[field.name]
        except NOT_CONVERTED:
            continue
    return pl.Schema(found)


def by_halves(
    rows: pa.RecordBatch, convert: Callable[[pa.RecordBatch], pl.DataFrame], most: int
) -> list[tuple[int, int, pl.DataFrame | None]]:
    """Convert rows together, or in halves where that fails, down to the rows at which it fails.

    Args:
        rows: the rows.
        convert: the conversion of some of them.
        most: after so many failures the rest is not tried.

    Returns:
        For each part the index of its first row, its number of rows, and what they became; None where that failed.
    """
    found: list[tuple[int, int, pl.DataFrame | None]] = []
    failures, waiting = 0, [(0, rows.num_rows)]
    while waiting:
        start, count = waiting.pop()
        if failures > most:
            found.append((start, count, None))
            continue
        try:
            found.append((start, count, convert(rows.slice(start, count))))
        except NOT_CONVERTED:
            failures += 1
            half = count // 2
            if half:
                waiting += [(start + half, count - half), (start, half)]
            else:
                found.append((start, count, None))
    return found
