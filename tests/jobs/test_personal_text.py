"""Names, card numbers and scripts in rejected lines stand in no page, record, log or report: only in the table of rejects."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from schemas.erasure.__main__ import main as erase
from schemas.lake.lake import open_lake
from schemas.maintenance import retention
from schemas.publishing.audit_record import read_audit
from tests.jobs.conftest import Deliver
from tests.pipeline import audit_and_publish, run_job, run_jobs_here
from tests.schemas.erasure.search import search

pytestmark = pytest.mark.slow

DAY = date(1998, 4, 16)
NAME, CARD = "Anna Meyer", "4111111111111111"
SCRIPTS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</td><svg onload=alert(1)>",
    "[a](javascript:alert(1))",
)
GOOD = {"id": "e1", "user": "person-0001", "action": "view", "at": "1998-04-16T14:20:05Z", "item": "242", "device": "web"}
TRACES = ("onerror=", "onload=", "alert(1)")


def told(**changes: str) -> str:
    return json.dumps(GOOD | changes)


@pytest.fixture
def rejected(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A published day whose rejects hold a name, a card number and scripts."""
    monkeypatch.setenv("CLICKWRIGHT_SOURCES", "simulated")
    run_jobs_here(monkeypatch)
    sound = [told(id=f"e{n}", user=f"person-{n:04d}") for n in range(60)]
    long = [told(id=f"x{n}", user="person-9001", item=script + "i" * 200) for n, script in enumerate(SCRIPTS)]
    long += [told(id=f"s{n}", user="person-9001", page=script + "s" * 200) for n, script in enumerate(SCRIPTS)]
    said = f"I am {NAME}, my card is {CARD} " + "x" * 10_000
    comment = told(id="c", user="person-9002", action="comment", text=said, item="i" * 201)
    deliver(*sound, *long, comment, source="simulated", name="a.jsonl.gz")
    return lambda: run_job("clean", DAY, "r", audit_and_publish)


def holding(var: Path, *texts: str) -> list[str]:
    """The files of the state folder, besides the landing zone and the lake, that hold one of some texts."""
    files = [path for path in var.rglob("*") if path.is_file() and path.relative_to(var).parts[0] not in ("landing", "lake")]
    return [str(path.relative_to(var)) for path in files if any(text.encode() in path.read_bytes() for text in texts)]


def test_pages_and_records_of_an_audit_hold_no_value_of_a_row(
    rejected: Callable[[], None], var: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rejected()
    pages = list((var / "audits").rglob("*.html"))
    assert len(pages) > 1
    assert holding(var, NAME, CARD, *SCRIPTS, *TRACES) == []
    assert not any(text in stream for stream in capfd.readouterr() for text in (NAME, CARD, *TRACES))


def test_an_audit_still_counts_the_rejected_candidates(rejected: Callable[[], None]) -> None:
    rejected()
    counts = {rule.rule: rule.quarantined for rule in read_audit("clean", "r").tables["events"] if rule.quarantined}
    assert counts == {"item_id.length": len(SCRIPTS) + 1}


def test_after_an_erasure_and_after_retention_the_text_is_in_no_file(rejected: Callable[[], None], var: Path) -> None:
    """The rows themselves leave with the person or with the retention of ``rejects``; nothing else held the text."""
    rejected()
    erase(["--raw-id", "person-9002", "--date", "1998-04-17"])
    assert holding(var, NAME, CARD) == []
    assert NAME not in str(open_lake().arrow("rejects").to_pylist())
    assert search(var / "lake", [NAME, CARD])[0] == []
    retention.main(["--date", "1998-12-31", "--table", "rejects", "--allow-empty"])
    assert open_lake().arrow("rejects").num_rows == 0
    assert holding(var, *SCRIPTS, *TRACES) == []
