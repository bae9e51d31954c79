"""The commands of a day, run one after the other, as Airflow runs them."""

import json
import os
import random
import subprocess
import sys
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jobs import arrivals, clean, items, profiles, sessionize
from local.demo.raw_id_scan import scan
from schemas.lake.lake import open_lake, row_counts
from schemas.publishing import publish
from schemas.runtime.cli import run_command
from schemas.runtime.errors import NothingToDo
from schemas.runtime.settings import ROOT
from tests.jobs.conftest import Deliver, line
from tests.jobs.test_items_and_profiles import ALIEN, HEAT
from tests.pipeline import audit_and_publish, run_jobs_here
from tests.small_disk import on_small_disk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DAY = "1998-04-16"


def command(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
    )


def result(module: str, *arguments: str) -> dict[str, Any]:
    """The JSON in the last line that a command prints."""
    done = command(module, *arguments)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


@pytest.fixture
def spark_of_tests(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of the jobs run in this process, on the Spark of all tests: another Java for each takes ten seconds."""
    monkeypatch.setattr(spark, "stop", lambda: None)
    for job in (items, profiles):
        monkeypatch.setattr(job, "spark_session", lambda *_: spark)


@pytest.mark.usefixtures("spark_of_tests")
def test_day_from_the_landing_zone_to_the_profiles(deliver: Deliver, var: Path) -> None:
    visitors = [
        line(event_id=f"v{i}", user=f"shopper-{i:04d}@shop.example", item="1", time=f"{DAY}T10:00:00Z") for i in range(8)
    ]
    returning = line(event_id="r", user="shopper-0001@shop.example", item="2", time=f"{DAY}T11:00:01Z")
    broken = line(user="shopper-0002@shop.example")[:90]
    deliver(*visitors, returning, broken, line(event_id="x", user="shopper-0003@shop.example", time="never"))
    deliver(json.dumps(ALIEN), json.dumps(HEAT), hour="1998-04-16T03", source="movielens-items")
    run = "scheduled__1998-04-17T01:00:00+00:00"

    accounts = result("jobs.clean", "--arrived-on", DAY, "--run", run)
    assert (accounts["lines_read"], accounts["events"], accounts["rejects"], accounts["duplicates"]) == (11, 9, 2, 0)
    audit_and_publish("clean", run)
    result("jobs.sessionize", "--from", DAY, "--to", DAY, "--run", run)
    audit_and_publish("sessionize", run)
    items.main(["--as-of", DAY, "--run", run])
    audit_and_publish("items", run)
    profiles.main(["--as-of", DAY, "--run", run])
    audit_and_publish("profiles", run)

    lake = open_lake()
    expected = {"conflicts": 0, "events": 9, "items": 2, "landing_files": 1, "profiles": 8, "rejects": 2}
    expected |= {"session_events": 9, "sessions": 9}
    assert row_counts(lake) == expected
    assert lake.partitions("sessions", "closed_on") == [date(1998, 4, 16)]
    commit = lake.commits("sessions")[0]
    assert (commit.run, commit.inputs) == (run, {"events": lake.snapshot("events")})
    searched = scan(var, [b"@shop.example"])
    assert searched.found == []
    assert searched.files > 30


def test_day_without_a_catalogue_ends_in_profiles(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_SOURCES", "web_log")
    run_jobs_here(monkeypatch)
    page = '203.0.113.{} - - [16/Apr/1998:10:00:0{} +0000] "GET /page-{} HTTP/1.1" 200 99 "-" "Mozilla/4.04"'
    deliver(
        *(page.format(user, second, second) for user in (1, 2) for second in (1, 2)), source="web_log", name="access.log.gz"
    )
    clean.main(["--arrived-on", DAY, "--run", "r"])
    audit_and_publish("clean", "r")
    sessionize.main(["--from", DAY, "--to", DAY, "--run", "r"])
    audit_and_publish("sessionize", "r")
    with pytest.raises(NothingToDo, match="no source has a catalogue"):
        items.main(["--as-of", DAY, "--run", "r"])
    profiles.main(["--as-of", DAY, "--run", "r"])
    audit_and_publish("profiles", "r")
    lake = open_lake()
    assert [row["n_events"] for row in lake.arrow("profiles").to_pylist()] == [2, 2]
    assert lake.commits("profiles")[0].inputs.keys() == {"events"}


def test_errors_are_one_line_and_an_exit_code(var: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = command("jobs.clean", "--arrived-on", DAY)
    assert missing.returncode == 1
    assert missing.stderr.splitlines()[-1].startswith("error: source movielens has no files for 1998-04-16; expected in ")
    assert run_command(partial(arrivals.main, ["--arrived-on", "2026-11-20"])) == 99
    assert run_command(partial(publish.main, ["--job", "clean", "--run", "r"])) == 1
    assert "run `python -m jobs.clean --run r` with" in capsys.readouterr().err


def test_invalid_setting_fails_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_SESION_GAP_MINUTES", "20")
    done = command("jobs.sessionize", "--from", DAY, "--to", DAY)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: unknown setting CLICKWRIGHT_SESION_GAP_MINUTES")


def test_full_disk_is_a_one_line_error_and_publishes_nothing(deliver: Deliver, var: Path) -> None:
    noise = random.Random(7)  # words that compress badly, and that nobody takes for a key
    words = [" ".join("".join(noise.choices("abcdefghijklmnopqrstuvwxyz", k=5)) for _ in range(33)) for _ in range(4000)]
    deliver(*[line(event_id=str(i), item=str(i), surface=text) for i, text in enumerate(words)])
    inside = on_small_disk(var / "lake" / "data", "128k")
    clean = [sys.executable, "-m", "jobs.clean", "--arrived-on", DAY, "--run", "r"]
    done = subprocess.run([*inside, *clean], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: No space left on device; ")
    assert not (var / "staging" / "clean").exists()
