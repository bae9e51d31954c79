"""The content digest of rows that were written."""

import polars as pl

from jobs.exchange.parquet_writer import content

ROWS = pl.DataFrame({"user_id": ["a", "b", "c"], "value": [1.0, None, 3.0]})


def test_digest_does_not_depend_on_order_or_partition() -> None:
    assert content(ROWS) == content(ROWS.reverse())
    assert content(ROWS) == (content(ROWS[:1]) + content(ROWS[1:])) % 2**64


def test_digest_depends_on_values_and_rows() -> None:
    assert len({content(ROWS), content(ROWS[:2]), content(ROWS.with_columns(value=pl.lit(1.0))), content(ROWS[:0])}) == 4
    assert content(ROWS[:0]) == 0
