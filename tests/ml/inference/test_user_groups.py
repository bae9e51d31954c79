"""Users without usable history: popular items of their segment, and of the sources where they were seen."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.inference.cold_start import Popular
from ml.inference.eligible_items import offer_of
from ml.inference.user_groups import SCHEMA, by_source
from ml.inference.user_histories import EVENT_SCHEMA
from schemas.lake.lake import Lake

ITEMS = [*(f"film {i}" for i in range(20)), "tent"]
DAY = date(2024, 3, 1)


def seen(pairs: list[tuple[str, str]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([dict(zip(SCHEMA.names, pair, strict=True)) for pair in pairs], schema=SCHEMA)


def test_people_of_a_shop_get_its_popular_items() -> None:
    people = [f"viewer {i}" for i in range(300)] + [f"buyer {i}" for i in range(5)] + ["visitor"]
    users = pa.table({"user_id": people, "segment": ["casual"] * len(people)})
    source = {"viewer": "films", "buyer": "shop", "visitor": "shop"}
    grouped = by_source(users, [seen([(who, source[who.split()[0]]) for who in people])])
    at = np.datetime64("2024-02-28").astype("datetime64[us]").astype(int).item()
    did = [(who, ITEMS[i % 20] if who.startswith("viewer") else "tent") for i, who in enumerate(people) if who != "visitor"]
    events = pa.Table.from_pylist(
        [
            {"user_id": who, "event_time": at, "event_id": who, "event_type": "view", "item_id": item, "value": None}
            for who, item in did
        ],
        schema=EVENT_SCHEMA.set(1, pa.field("event_time", pa.int64())),
    ).cast(EVENT_SCHEMA)
    catalogue = pa.table({"item_id": ITEMS, "title": ITEMS, "categories": pa.array([None] * len(ITEMS), pa.list_(pa.string()))})
    for rows, expected in ((users, "film 0"), (grouped, "tent")):
        popular = Popular(offer_of(catalogue, [(events, rows)], ITEMS, DAY), k=1)
        segment = rows["segment"].to_pylist()[-1]
        assert ITEMS[popular.of(segment)[0][0]] == expected


def test_one_source_changes_nothing(tmp_path: Path) -> None:
    users = pa.table({"user_id": ["ann"], "segment": ["new"]})
    assert by_source(users, [seen([("ann", "films")])]) is users
    assert by_source(users, []) is users


def test_sources_are_read_of_events_of_any_kind(walk_lake: Lake) -> None:
    from ml.inference.user_groups import sources_of

    snapshot = walk_lake.snapshot("session_events")
    assert snapshot is not None
    rows = pa.Table.from_batches(list(sources_of(walk_lake, date(2024, 3, 7), snapshot)))
    assert set(rows.column_names) >= set(SCHEMA.names)
    assert rows.num_rows
