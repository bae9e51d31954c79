"""Values of hundreds of kilobytes: each is a reject with a reason, and the rejects stay small."""

from pathlib import Path

import pytest

from schemas.lake.lake import open_lake
from tests.jobs.conftest import DAY, Deliver, line
from tests.pipeline import run_job, run_jobs_here

LONG = "x" * 400_000
FIELDS = {
    "event_id": "event_id.length",
    "item": "item_id.length",
    "user": "user_id.too_long",
    "surface": "surface.length",
    "device": "device.length",
    "type": "event_type.unknown",
    "time": "event_time.unreadable",
    "rating": "value.unreadable",
}


def test_each_long_value_is_a_reject(var: Path, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    run_jobs_here(monkeypatch)
    sound = [line(event_id=f"e{i}", item=str(i)) for i in range(40)]
    deliver(*sound, *(line(**{"event_id": f"long {name}", name: LONG}) for name in FIELDS))
    run_job("clean", DAY, "r")
    lake = open_lake()
    rejects = lake.arrow("rejects").to_pylist()
    assert [reason in row["reasons"] for reason, row in zip(FIELDS.values(), rejects, strict=True)] == [True] * len(FIELDS)
    assert all(len(text) <= 4000 for row in rejects for text in [row["line"], *map(str, row["candidate"].values())])
    assert lake.arrow("events").num_rows == 40
    pages = [page.read_text() for page in (var / "audits").rglob("*.html")]
    assert pages
    assert not any("x" * 5000 in page for page in pages)
