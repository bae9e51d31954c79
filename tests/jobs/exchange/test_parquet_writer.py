"""What is said of rows that were written: a number that they alone decide."""

import polars as pl

from jobs.exchange.parquet_writer import content

ROWS = pl.DataFrame({"user_id": ["a", "b", "c"], "value": [1.0, None, 3.0]})


def test_the_order_of_rows_and_how_they_are_shared_out_do_not_matter() -> None:
    assert content(ROWS) == content(ROWS.reverse())
    assert content(ROWS) == (content(ROWS[:1]) + content(ROWS[1:])) % 2**64


def test_another_value_or_another_row_does() -> None:
    assert len({content(ROWS), content(ROWS[:2]), content(ROWS.with_columns(value=pl.lit(1.0))), content(ROWS[:0])}) == 4
    assert content(ROWS[:0]) == 0
