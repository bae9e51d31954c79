"""The exchange: rows with the same key meet exactly once, for any number of tasks and buckets."""

from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.exchange.exchange import buckets_for, exchange, from_block, split, to_block

KEYS = st.lists(st.text(max_size=8), max_size=50)


@given(keys=KEYS, buckets=st.integers(1, 20))
def test_split_keeps_all_rows_and_one_bucket_per_key(keys: list[str], buckets: int) -> None:
    parts = list(split(pl.DataFrame({"key": keys}, schema={"key": pl.String}), "key", buckets))
    assert sorted(key for _, rows in parts for key in rows["key"]) == sorted(keys)
    place = {key: bucket for bucket, rows in parts for key in rows["key"]}
    assert sum(len(set(rows["key"])) for _, rows in parts) == len(place)
    assert all(0 <= bucket < buckets for bucket in place.values())


@given(keys=KEYS, before=KEYS, buckets=st.integers(1, 20))
def test_categorical_keys_are_split_like_strings(keys: list[str], before: list[str], buckets: int) -> None:
    earlier = pl.Series(before, dtype=pl.String).cast(pl.Categorical)  # the first values determine the codes
    texts = pl.DataFrame({"key": keys}, schema={"key": pl.String})
    parts = {bucket: rows["key"].cast(pl.String) for bucket, rows in split(texts.cast(pl.Categorical), "key", buckets)}
    assert {bucket: list(rows) for bucket, rows in parts.items()} == {
        bucket: list(rows["key"]) for bucket, rows in split(texts, "key", buckets)
    }
    assert len(earlier) == len(before)  # keeps the earlier categories alive


@given(keys=KEYS)
def test_block_round_trip(keys: list[str]) -> None:
    frame = pl.DataFrame({"key": keys, "n": range(len(keys))}, schema={"key": pl.String, "n": pl.Int64})
    assert from_block(to_block(frame)).equals(frame)


def test_larger_inputs_get_more_buckets() -> None:
    assert [buckets_for(n) for n in (0, 1, 4 << 20, (4 << 20) + 1, 10 << 30)] == [1, 1, 1, 2, 2560]


def words(numbers: list[int]) -> Iterator[tuple[str, pl.DataFrame, str | None]]:
    for number in numbers:
        yield "words", pl.DataFrame({"word": [f"w{i % 7}" for i in range(number)]}), "word"


def count(bucket: int, frames: dict[str, pl.DataFrame]) -> Iterator[dict[str, Any]]:
    yield {"counts": dict(frames["words"]["word"].value_counts().iter_rows())}


@pytest.mark.slow
@pytest.mark.parametrize("buckets", [1, 3])
def test_both_stages_on_spark(spark: SparkSession, buckets: int) -> None:
    results = exchange(spark, [[7, 14], [21], []], buckets, words, count)
    assert len(results) <= buckets
    counted = [(word, n) for result in results for word, n in result["counts"].items()]
    assert sorted(counted) == [(f"w{i}", 6) for i in range(7)]
