"""An item whose shown texts hold personal data is left out with a reason; the rest of the catalogue is published."""

import json
from datetime import date

import pytest

from schemas.lake.lake import open_lake
from tests.jobs.conftest import Deliver
from tests.pipeline import run_job, run_jobs_here

DAY = date(1998, 4, 16)
PERSONAL = {
    "title": ["Sofa, anna@people.example", "Call +49 (170) 123-45 67", "Pay to 4111-1111 1111 1111", "bela%40people.example"],
    "item_id": ["/users/anna@people.example/orders"],
    "categories": [["Sofas", "by cleo@people.example"]],
}  # fmt: skip
HARMLESS = [
    "C++ in 24 hours", "4-in-1 charger @home", "ISBN 9783161484100", "EAN 4006381333931", "Model 4111 1111 1111 1112",
    "Ratio 16:9 +20%", "M*A*S*H (1970)", "Area 51 @ 12:30", "+1 Guest", "Nr. 0170 1234567",
]  # fmt: skip


def test_items_with_personal_data_are_left_out(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    run_jobs_here(monkeypatch)
    good = [{"item_id": str(n), "title": title} for n, title in enumerate(HARMLESS)]
    bad = [
        {"item_id": f"{column}-{n}", "title": "Sofa", column: value}
        for column, values in PERSONAL.items()
        for n, value in enumerate(values)
    ]
    deliver(*map(json.dumps, [*good, *bad]), source="movielens-items")
    run_job("items", DAY, "r")
    lake = open_lake()
    assert sorted(lake.arrow("items")["title"].to_pylist()) == sorted(HARMLESS)
    notes = lake.commits("items")[0].notes
    assert notes["refused_items"] == {"categories.personal": 1, "item_id.personal": 1, "title.personal": 4}


def test_an_earlier_title_without_personal_data_stays(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    run_jobs_here(monkeypatch)
    deliver(json.dumps({"item_id": "1", "title": "Sofa"}), hour="1998-04-15T03", source="movielens-items")
    deliver(json.dumps({"item_id": "1", "title": "Sofa of anna@people.example"}), source="movielens-items")
    run_job("items", DAY, "r")
    assert open_lake().arrow("items")["title"].to_pylist() == ["Sofa"]
