"""The lake in an object store: staging, audit, publish, reading, and the errors for a wrong key or a lost store."""

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pyarrow.fs as fs
import pytest
import torch
from torch.utils.data import DataLoader

from jobs.exchange.tasks import read_rows
from ml.data.splits import by_time, read_split
from ml.models.transformer.sequences import Windows
from ml.pin import pin
from schemas.erasure.__main__ import main as erase
from schemas.lake import storage
from schemas.lake.lake import open_lake, row_counts
from schemas.publishing import audit, publish
from schemas.publishing.staging import open_attempt, read_manifest
from schemas.runtime.errors import ConfigError, Refused
from schemas.runtime.settings import ROOT, get_settings
from tests.faults.backfill import ENVIRONMENT
from tests.faults.runs import driver
from tests.faults.servers import BUCKET, KEY, ObjectStore
from tests.ml.conftest import TRAIN_UNTIL, VALID_DAYS, catalogue, gathered, publish_walk, walk_events, walk_items
from tests.schemas.conftest import DAY, session_rows
from tests.schemas.erasure.search import search
from tests.schemas.lakes import DAYS, RAW, person, write_day

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
JOB = ["--job", "sessionize", "--run", "r"]


def stage(n: int, day: object = DAY, **wrong: object) -> None:
    with open_attempt("sessionize", "r", {}) as attempt:
        attempt.write_arrow("sessions", session_rows(day, n, **wrong), replaces=("closed_on", [day]))  # type: ignore[arg-type]


def test_rows_are_staged_audited_published_and_read(object_store: ObjectStore, var: Path) -> None:
    for n, day in ((3, DAY), (2, DAY + timedelta(days=1)), (5, DAY)):
        stage(n, day)
        audit.main(JOB)
        publish.main(JOB)
    lake = open_lake()
    assert row_counts(lake) == {"sessions": 7}
    assert lake.arrow("sessions", f"closed_on = '{DAY}'").sort_by("session_id") == session_rows(DAY, 5)
    (name,) = lake.files("sessions", f"closed_on = '{DAY}'")
    assert name.startswith(f"s3://{BUCKET}/")
    assert sum(map(len, read_rows(name, ["session_id"]))) == 5
    assert storage.exists(name)
    assert not list((var / "lake").rglob("*.parquet"))
    assert not list((var / "lake").rglob("*.avro"))


def test_changed_or_missing_file_is_refused(object_store: ObjectStore) -> None:
    stage(2)
    audit.main(JOB)
    (name,) = read_manifest("sessionize", "r").tables["sessions"].paths
    with object_store.filesystem().open_output_stream(name.removeprefix("s3://")) as file:
        file.write(storage.read_bytes(name).replace(b"e1", b"e2", 1))
    with pytest.raises(Refused, match="was changed or removed after its audit"):
        publish.main(JOB)
    storage.delete(name)
    with pytest.raises(Refused, match="was changed or removed after its audit"):
        publish.main(JOB)


def test_failed_attempt_leaves_no_file(object_store: ObjectStore) -> None:
    def build() -> None:
        with open_attempt("sessionize", "r", {}) as attempt:
            attempt.write_arrow("sessions", session_rows(DAY, 2), replaces=("closed_on", [DAY]))
            attempt.manifest()  # the rows are in the store now
            raise RuntimeError("the machine went away")

    with pytest.raises(RuntimeError):
        build()
    assert storage.listing(get_settings().lake_files) == {}


def test_files_are_listed_and_deleted(object_store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    folder = f"{get_settings().lake_files}/some/folder"
    storage.upload(tmp_path / "x", f"{folder}/x")
    assert {name: found.bytes for name, found in storage.listing(folder).items()} == {f"{folder}/x": 5}
    assert storage.digest(f"{folder}/x") == storage.digest(str(tmp_path / "x"))
    storage.delete_folder(folder)
    assert storage.listing(folder) == {}
    storage.delete_folder(folder)
    storage.delete(f"{folder}/x")


def publishing(**changed: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "schemas.publishing.publish", *JOB]
    return subprocess.run(command, cwd=ROOT, env=os.environ | changed, capture_output=True, text=True, check=False)


def test_wrong_key_and_lost_store_publish_nothing(object_store: ObjectStore) -> None:
    stage(2)
    audit.main(JOB)
    wrong = publishing(CLICKWRIGHT_OBJECT_STORE_KEY="wrong")
    lost = publishing(CLICKWRIGHT_OBJECT_STORE_ENDPOINT="http://127.0.0.1:9")
    for done in (wrong, lost):
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("error: the object store cannot be used (")
        assert KEY not in done.stderr
    assert json.loads(publishing().stdout.splitlines()[-1])["sessions"]["rows"] == 2


@pytest.mark.faults
def test_killed_backfill_equals_one_on_a_disk(object_store: ObjectStore, tally: Counter[str]) -> None:
    found = driver("fault_injection", "kills", "--days", 1, "--events", 200, "--times", 10, env=os.environ | ENVIRONMENT)
    tally["kills with an object store"] += found["kills"]
    assert found["equal"]
    assert found["rows"]["events"] > 0


def test_store_rejects_a_wrong_key(object_store: ObjectStore) -> None:
    with pytest.raises(OSError, match="SIGNATURE_DOES_NOT_MATCH"):
        object_store.filesystem(key="wrong").get_file_info(fs.FileSelector(BUCKET))


def test_key_without_id_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_OBJECT_STORE_KEY", "x")
    with pytest.raises(ConfigError, match="belong together"):
        _ = get_settings().object_store_keys


def test_pytorch_windows_from_the_store_equal_those_in_memory(object_store: ObjectStore) -> None:
    publish_walk(open_lake())
    found = read_split(open_lake(), pin("weekly", TRAIN_UNTIL, VALID_DAYS))
    made = by_time(gathered(walk_events()), catalogue(walk_items()), TRAIN_UNTIL, VALID_DAYS)
    there, here = (Windows(one.refit, 16, len(one.catalog), unknown_times=0.5, seed=0) for one in (found, made))
    assert len(there) == len(here) > 0
    loaders = (DataLoader(part, batch_size=8, collate_fn=lambda batch: batch) for part in (there, here))
    for row, same in zip(*loaders, strict=True):
        torch.testing.assert_close(row, same)


def test_person_is_erased_from_the_store(object_store: ObjectStore, var: Path, tmp_path: Path) -> None:
    tables = ("events", "session_events")
    for table in tables:
        for day in DAYS:
            write_day(table, day)
    lake, gone = open_lake(), [RAW[0], person(RAW[0])]
    before = row_counts(lake)
    erase(["--raw-id", RAW[0], "--date", str(DAYS[-1])])
    assert row_counts(lake) == {table: rows * 2 // 3 for table, rows in before.items()}
    for name in storage.listing(get_settings().lake_files):
        path = tmp_path / "store" / name.removeprefix("s3://")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(storage.read_bytes(name))
    found, looked = search(tmp_path / "store", gone)
    assert (found, looked > 0) == ([], True)
    assert search(var, gone)[0] == []
