"""Digests of event ids: ids in several buckets are found, however few digests are compared at a time."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.cleaning import event_ids
from jobs.cleaning.event_ids import id_digests, shared_ids, write_ids


def named(names: set[str], source: str = "shop") -> pl.DataFrame:
    return pl.DataFrame({"source": source, "event_id": sorted(names)}, schema={"source": pl.String, "event_id": pl.String})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(buckets=st.lists(st.sets(st.text(max_size=3), max_size=20), max_size=6), at_a_time=st.integers(1, 30))
def test_ids_in_several_buckets_are_found(
    buckets: list[set[str]], at_a_time: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_ids, "AT_A_TIME", at_a_time)
    paths = [write_ids(named(names), tmp_path) for names in buckets]
    several = {name for names in buckets for name in names if sum(name in other for other in buckets) > 1}
    assert shared_ids(paths) == set(id_digests(named(several)))


def test_same_id_in_two_sources_is_not_shared() -> None:
    assert id_digests(named({"1"}, "shop"))[0] != id_digests(named({"1"}, "news"))[0]
