"""The state folder may have any name: a day, its upkeep, an erasure and an MLflow run work where URIs would be misread."""

import json
from datetime import date
from pathlib import Path

import pytest

from schemas.erasure.__main__ import main as erase
from schemas.lake.lake import open_lake, row_counts
from schemas.lineage.walk import lineage
from schemas.maintenance import compact, expire_snapshots, orphan_files
from schemas.runtime.local_files import sqlite_uri
from tests.jobs.conftest import line
from tests.pipeline import audit_and_publish, run_day, run_job, run_jobs_here

DAY = date(1998, 4, 16)
NAMES = ("a b#c", "a?b=c&d%20e", "ä 日本+$HOME [x]{y}")


@pytest.fixture(params=NAMES)
def odd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / request.param / "var"
    monkeypatch.setenv("CLICKWRIGHT_VAR", str(folder))
    return folder


@pytest.mark.slow
def test_a_day_its_upkeep_and_an_erasure(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_jobs_here(monkeypatch)
    for source, rows in (
        ("movielens", [line(event_id=f"e{n}", user=f"shopper-{n:04d}@shop.example") for n in range(9)]),
        ("movielens-items", [json.dumps({"item_id": "242", "title": "Heat"})]),
    ):
        folder = odd / "landing" / source / "arrived=1998-04-16T15"
        folder.mkdir(parents=True)
        (folder / "part.jsonl").write_text("\n".join(rows) + "\n")
    run_day(DAY, "r")
    run_day(DAY, "again")
    run_job("clean", DAY, "audited", audit_and_publish)
    lake = open_lake()
    assert row_counts(lake)["events"] == 9
    assert lineage(lake, "events", str(DAY)).as_dict()["count"] == 9
    upkeep = ["--date", "2026-11-20"]
    compact.main(upkeep)
    expire_snapshots.main(upkeep)
    orphan_files.main(upkeep)
    erase(["--raw-id", "shopper-0001@shop.example", *upkeep])
    assert row_counts(open_lake())["events"] == 8
    assert list(odd.parent.iterdir()) == [odd]
    assert [path.name for path in odd.parent.parent.iterdir() if path.name != "var"] == [odd.parent.name]


@pytest.mark.slow
def test_an_mlflow_run_with_sqlite(odd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    from ml.tracking.runs import connect, experiment_id
    from schemas.runtime.settings import get_settings

    odd.mkdir(parents=True)
    monkeypatch.setenv("CLICKWRIGHT_MLFLOW_TRACKING_URI", sqlite_uri(odd / "mlflow.db"))
    settings = get_settings()
    client = connect(settings)
    with mlflow.start_run(experiment_id=experiment_id(client, settings)) as run:
        mlflow.log_text("said", "a note.txt")
    assert Path(client.download_artifacts(run.info.run_id, "a note.txt", str(odd))).read_text() == "said"
    assert list((odd / "mlflow" / "artifacts").rglob("a note.txt"))
    assert (odd / "mlflow.db").exists()
