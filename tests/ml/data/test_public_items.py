"""Without a catalogue, an item that fewer than k people met is neither learnt, nor recommended, nor named in a reason."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from ml.data.catalog import ITEM_FIELDS, catalog_from
from ml.data.event_log import SCHEMA, everything, gather, items_met
from ml.inference.eligible_items import offer_of
from ml.inference.user_histories import EVENT_SCHEMA
from ml.models import build
from ml.reasons.sentences import History, reasons
from schemas.runtime.settings import get_settings

DAY = date(1998, 4, 17)
PRIVATE = "/users/anna/orders"
VIEWS = [(f"{user:064x}", f"/p/{page}") for user in range(6) for page in range(3)] + [
    *[(f"{0:064x}", PRIVATE)] * 9,  # one person, often
    *[(f"{user:064x}", "/of/four") for user in range(4)],
    *[(f"{user:064x}", "/of/five") for user in range(5)],
]
PUBLIC = ["/of/five", "/p/0", "/p/1", "/p/2"]


def moment(number: int) -> datetime:
    return datetime(1998, 4, 16, 9, tzinfo=UTC) + timedelta(minutes=number)


@pytest.fixture
def interactions() -> pa.Table:
    rows = [
        {"user_id": user, "item_id": item, "event_time": moment(n), "event_id": f"e{n}", "arrived_on": date(1998, 4, 16)}
        for n, (user, item) in enumerate(VIEWS)
    ]
    return pa.Table.from_pylist(rows)


@pytest.fixture
def known(interactions: pa.Table) -> pa.Table:
    more = {"event_type": pa.repeat("view", len(VIEWS)), "value": pa.nulls(len(VIEWS), pa.float64())}
    table = interactions
    for name, values in more.items():
        table = table.append_column(name, values)
    return table.select(EVENT_SCHEMA.names).cast(EVENT_SCHEMA)


def users_of(events: pa.Table) -> pa.Table:
    ids = sorted(set(events["user_id"].to_pylist()))
    return pa.table({"user_id": ids, "segment": ["casual"] * len(ids)})


def learnt(interactions: pa.Table) -> list[str]:
    times = interactions["event_time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    events = gather(interactions.set_column(2, "event_time", times).select(SCHEMA.names).cast(SCHEMA).to_batches())
    return catalog_from(ITEM_FIELDS.empty_table(), items_met(events, everything)).item_ids


def test_a_model_learns_only_items_that_enough_people_met(interactions: pa.Table) -> None:
    assert learnt(interactions) == PUBLIC


def test_people_are_counted_once_across_parts(interactions: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ml.data.interactions.ROWS_AT_ONCE", 2)
    assert learnt(interactions) == PUBLIC


def test_items_of_the_catalogue_need_nobody() -> None:
    items = pa.Table.from_pylist([{"item_id": "new", "title": "New"}], schema=ITEM_FIELDS)
    assert catalog_from(items, []).item_ids == ["new"]


def test_an_older_model_does_not_bring_private_items_back(known: pa.Table) -> None:
    ids = sorted({item for _, item in VIEWS})
    offer = offer_of(None, [(known, users_of(known))], ids, DAY)
    assert [item for item, offered in zip(ids, offer.offered, strict=True) if offered] == PUBLIC
    private = ids.index(PRIVATE)
    assert PRIVATE not in offer.titles.titles
    model = build("item_knn")
    history = History(np.array([private], dtype=np.int32), ["view"], np.array([np.nan]))
    assert history.positive_events(offer.titles, 0.0).tolist() == []
    (why,) = reasons([ids.index("/p/0")], history, offer.titles, model, 0.0)
    assert PRIVATE not in why.sentence
    assert why.item is None


def test_the_setting_is_the_number_of_people(interactions: pa.Table, known: pa.Table, monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_settings().item_min_people == 5
    monkeypatch.setenv("CLICKWRIGHT_ITEM_MIN_PEOPLE", "4")
    assert learnt(interactions) == ["/of/five", "/of/four", "/p/0", "/p/1", "/p/2"]
    ids = learnt(interactions)
    assert offer_of(None, [(known, users_of(known))], ids, DAY).offered.all()
