"""Interactions on disk, independent of the batches."""

from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.data import event_log as store
from ml.data.catalog import Catalog
from ml.data.event_log import SCHEMA, cut, everything, gather, items_met, people_by_item
from ml.data.interactions import microseconds
from ml.data.splits import before
from schemas.runtime.settings import get_settings

USER = st.sampled_from(["0a1", "0a2", "1", "ff", "é9"])
ROW = st.tuples(USER, st.integers(0, 3), st.sampled_from("xy"), st.sampled_from("abc"), st.integers(0, 2))
"""User, second, event id, item, day of arrival."""


def batches(rows: list[tuple[str, int, str, str, int]], size: int) -> list[pa.RecordBatch]:
    user, second, event, item, day = zip(*rows, strict=True)
    arrived = pa.array(day, pa.int32()).cast(pa.date32())
    columns = [pa.array(user), pa.array([s * 1_000_000 for s in second]), pa.array(event), pa.array(item), arrived]
    return pa.Table.from_batches([pa.record_batch(columns, schema=SCHEMA)]).to_batches(max_chunksize=size)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(ROW, min_size=1), st.integers(1, 4), st.randoms())
def test_events_are_sorted_and_deduplicated(rows, size, random) -> None:  # type: ignore[no-untyped-def]
    frame = pd.DataFrame(rows, columns=["user", "second", "event", "item", "day"]).sort_values(
        ["user", "second", "event", "item", "day"]
    )
    expected = frame.drop_duplicates(["user", "second", "event", "item"])
    random.shuffle(rows)
    found = gather(batches(rows, size))
    users = sorted(set(expected["user"]))
    assert [users[i] for i in found.user] == expected["user"].tolist()
    assert [found.item_ids[i] for i in found.item] == expected["item"].tolist()
    assert (found.time // 1_000_000).tolist() == expected["second"].tolist()
    assert (found.arrived // (24 * 3_600_000_000)).tolist() == expected["day"].tolist()


def test_cut_renumbers_users_and_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.data.interactions.ROWS_AT_ONCE", 2)  # so that users span several parts
    cat = [("cat", 1, "x", "b", 0), ("cat", 2, "x", "c", 0), ("cat", 3, "x", "b", 2)]
    rows = [("ann", 1, "x", "a", 0), ("bob", 9, "x", "b", 0), *cat]
    events = gather(batches(rows, 5))
    catalog = Catalog(["b", "z"], ["", ""], [[], []], ["", ""])
    early = before(date(2000, 1, 1), date(1970, 1, 2))
    found = cut(events, lambda time, arrived: early(time, arrived) & (time < 5_000_000), catalog)
    assert (found.n_users, found.n_items, found.user_index.tolist()) == (2, 2, [0, 1, 1])
    assert found.item_index[1] == 0
    assert found.item_index[0] < 0 > found.item_index[2]
    assert found.item_index[0] != found.item_index[2]
    assert found.item_counts.tolist() == [1, 0]
    assert items_met(events, early, least=1) == ["a", "b", "c"]
    assert people_by_item(events, everything).tolist() == [1, 2, 1]
    whole = cut(events, everything, catalog)
    assert [len(history) for history in whole.histories()] == [1, 1, 3]
    assert microseconds(date(1970, 1, 3)) in whole.arrived


def test_no_files_remain(var: Path) -> None:
    gather(batches([("ann", 1, "x", "a", 0)], 1))
    assert list((get_settings().var / "scratch").iterdir()) == []


def test_contract_has_all_columns() -> None:
    from schemas.contract import load_contract

    fields = load_contract("session_events").arrow_schema
    assert all(name in fields.names for name in [*store.SCHEMA.names, "event_type"])
