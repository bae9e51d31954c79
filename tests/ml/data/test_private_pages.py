"""A web log without a catalogue, from the log's lines to the items of a model: no page of one person becomes an item."""

import gzip
from datetime import date
from pathlib import Path

import pytest

from ml.data.catalog import ITEM_FIELDS, catalog_from
from ml.data.event_log import everything, gather, items_met
from ml.data.splits import read_events
from schemas.lake.lake import open_lake
from tests.pipeline import run_job, run_jobs_here

pytestmark = pytest.mark.slow

DAY = date(1998, 4, 16)


def opened(address: str, page: str, minute: int) -> str:
    return f'{address} - - [16/Apr/1998:18:{minute:02d}:00 +0000] "GET {page} HTTP/1.1" 200 12 "-" "Mozilla/5.0"'


def test_private_pages_of_a_log_do_not_become_items(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_SOURCES", "web_log")
    run_jobs_here(monkeypatch)
    lines = [opened(f"10.0.0.{user}", f"/p/{page}", page) for user in range(6) for page in range(3)]
    lines += [opened("10.0.0.7", "/users/anna.meyer@example.com/orders", 1), opened("10.0.0.8", "/lists/of-anna-meyer", 2)]
    folder = var / "landing" / "web_log" / "arrived=1998-04-16T18"
    folder.mkdir(parents=True)
    (folder / "a.log.gz").write_bytes(gzip.compress("\n".join(lines).encode() + b"\n"))
    run_job("clean", DAY, "r")
    run_job("sessionize", DAY, "r")
    run_job("sessionize", date(1998, 4, 17), "s")
    events = gather(read_events(open_lake(), None))
    assert "/lists/of-anna-meyer" in events.item_ids
    assert catalog_from(ITEM_FIELDS.empty_table(), items_met(events, everything)).item_ids == ["/p/0", "/p/1", "/p/2"]
