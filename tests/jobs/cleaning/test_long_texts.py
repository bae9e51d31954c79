"""Values of hundreds of kilobytes: a describing text is cut, any other is a reject, and the rejects stay small."""

from pathlib import Path

import pytest

from schemas.lake.lake import open_lake
from tests.jobs.conftest import DAY, Deliver, line
from tests.pipeline import audit_and_publish, run_job, run_jobs_here

pytestmark = pytest.mark.slow

LONG = "x" * 400_000
FIELDS = {
    "event_id": "event_id.length",
    "item": "item_id.length",
    "user": "user_id.too_long",
    "type": "event_type.unknown",
    "time": "event_time.unreadable",
    "rating": "value.unreadable",
}


def test_each_long_value_is_a_reject(var: Path, deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    run_jobs_here(monkeypatch)
    sound = [line(event_id=f"e{i}", item=str(i)) for i in range(40)]
    sound += [line(event_id="s", surface=LONG), line(event_id="d", item="300", device=LONG)]
    deliver(*sound, *(line(**{"event_id": f"long {name}", name: LONG}) for name in FIELDS))
    run_job("clean", DAY, "r", audit_and_publish)
    lake = open_lake()
    rejects = lake.arrow("rejects").to_pylist()
    assert [reason in row["reasons"] for reason, row in zip(FIELDS.values(), rejects, strict=True)] == [True] * len(FIELDS)
    assert all(len(text) <= 4000 for row in rejects for text in [row["line"], *map(str, row["candidate"].values())])
    events = {row["event_id"]: row for row in lake.arrow("events").to_pylist()}
    assert (len(events), len(events["s"]["surface"]), len(events["d"]["device"])) == (42, 200, 100)
    assert lake.commits("events")[0].notes["cut_texts"] == {"device": 1, "surface": 1}
    pages = [page.read_text() for page in (var / "audits").rglob("*.html")]
    assert pages
    assert not any("x" * 5000 in page for page in pages)
