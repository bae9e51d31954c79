"""Write, audit, publish: readers see either all audited rows or the previous rows."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.contract import CONTRACTS, parse_contract
from schemas.lake.lake import open_lake, row_counts
from schemas.publishing import audit, publish
from schemas.publishing.audit_record import RECORD, read_audit, write_audit
from schemas.publishing.staging import MANIFEST, open_attempt, read_manifest, run_folder
from schemas.publishing.validator import Auditor
from schemas.runtime.errors import ClickwrightError, ConfigError, Refused
from schemas.runtime.local_files import slug, write_atomically
from tests.schemas.conftest import DAY, Stage, session_rows

pytestmark = pytest.mark.slow
JOB = ["--job", "sessionize", "--run", "r"]


def test_staged_rows_are_seen_only_after_audit_and_publish(stage_sessions: Stage) -> None:
    rows = stage_sessions(3)
    assert open_lake().snapshot("sessions") is None
    audit.main(JOB)
    assert open_lake().snapshot("sessions") is None
    publish.main(JOB)
    assert open_lake().arrow("sessions").sort_by("session_id") == rows


def test_publishing_a_day_again_replaces_only_that_day(stage_sessions: Stage) -> None:
    for n, day in ((3, DAY), (2, DAY + timedelta(days=1)), (5, DAY)):
        stage_sessions(n, day)
        audit.main(JOB)
        publish.main(JOB)
    lake = open_lake()
    assert row_counts(lake) == {"sessions": 7}
    assert lake.arrow("sessions", f"closed_on = '{DAY}'").num_rows == 5
    assert lake.partitions("sessions", "closed_on") == [DAY, DAY + timedelta(days=1)]


def test_publishing_is_idempotent(stage_sessions: Stage) -> None:
    stage_sessions(3)
    audit.main(JOB)
    publish.main(JOB)
    publish.main(JOB)
    assert row_counts(open_lake()) == {"sessions": 3}


def test_a_partition_without_rows_is_emptied_by_a_commit(stage_sessions: Stage) -> None:
    for n in (3, 0):
        stage_sessions(n)
        audit.main(JOB)
        publish.main(JOB)
    assert row_counts(open_lake()) == {"sessions": 0}
    assert open_lake().commits("sessions")[0].replaced == {"closed_on": [str(DAY)]}


def test_a_failed_audit_explains_itself_and_blocks_publish(
    stage_sessions: Stage,
) -> None:
    stage_sessions(2)
    audit.main(JOB)
    publish.main(JOB)
    stage_sessions(4, duration_s=-1.0)
    with pytest.raises(Refused) as refused:
        audit.main(JOB)
    message = str(refused.value)
    assert "sessions [closed_on=2026-11-20]" in message
    assert "duration_s must be at least 0" in message
    assert "4 rows break it" in message
    page = Path(message.split("see ")[1].split(",")[0])
    assert page.exists()
    with pytest.raises(Refused, match="audit did not pass"):
        publish.main(JOB)
    assert row_counts(open_lake()) == {"sessions": 2}
    stage_sessions(4)  # fixed
    audit.main(JOB)
    publish.main(JOB)
    assert row_counts(open_lake()) == {"sessions": 4}


def test_two_rows_with_one_key_fail_the_audit(stage_sessions: Stage) -> None:
    stage_sessions(2, session_id="0" * 32)
    with pytest.raises(Refused, match="session_id together must be unique"):
        audit.main(JOB)


def test_publish_refuses_a_file_that_changed_by_a_byte(stage_sessions: Stage) -> None:
    stage_sessions(2)
    audit.main(JOB)
    file = Path(read_manifest("sessionize", "r").tables["sessions"].paths[0])
    file.write_bytes(file.read_bytes().replace(b"e1", b"e2", 1))
    with pytest.raises(Refused, match="was changed or removed after its audit"):
        publish.main(JOB)


def test_publish_refuses_rows_staged_after_the_audit(stage_sessions: Stage) -> None:
    stage_sessions(2)
    audit.main(JOB)
    stage_sessions(2)
    with pytest.raises(Refused, match="the audit belongs to other rows"):
        publish.main(JOB)


def test_publish_refuses_the_audit_record_of_another_run(stage_sessions: Stage) -> None:
    stage_sessions(2)
    audit.main(JOB)
    stage_sessions(2, run="other", duration_s=-1.0)
    write_audit(read_audit("sessionize", "r").model_copy(update={"run": "other"}))
    with pytest.raises(Refused, match="the audit belongs to other rows"):
        publish.main(["--job", "sessionize", "--run", "other"])


def test_publish_refuses_a_missing_staged_file(stage_sessions: Stage) -> None:
    stage_sessions(2)
    audit.main(JOB)
    Path(read_manifest("sessionize", "r").tables["sessions"].paths[0]).unlink()
    with pytest.raises(Refused, match="was changed or removed after its audit"):
        publish.main(JOB)


def test_an_extra_file_in_the_folder_is_not_published(stage_sessions: Stage) -> None:
    stage_sessions(2)
    audit.main(JOB)
    file = Path(read_manifest("sessionize", "r").tables["sessions"].paths[0])
    file.with_name("part-more.parquet").write_bytes(file.read_bytes())
    publish.main(JOB)
    assert row_counts(open_lake()) == {"sessions": 2}


def test_publish_refuses_a_manifest_with_an_extra_file(stage_sessions: Stage) -> None:
    """The file has valid rows and the right digest, but it was not audited."""
    stage_sessions(3, run="other")
    stage_sessions(2)
    audit.main(JOB)
    manifest, other = read_manifest("sessionize", "r"), read_manifest("sessionize", "other")
    table = manifest.tables["sessions"]
    more = table.model_copy(update={"files": [*table.files, *other.tables["sessions"].files]})
    changed = manifest.model_copy(update={"tables": {"sessions": more}})
    write_atomically(run_folder("sessionize", "r") / MANIFEST, changed.model_dump_json())
    with pytest.raises(Refused, match="the audit belongs to other rows"):
        publish.main(JOB)


def test_publish_refuses_audit_records_that_were_swapped(stage_sessions: Stage) -> None:
    runs: dict[str, dict[str, float]] = {"r": {}, "bad": {"duration_s": -1.0}}
    for run, wrong in runs.items():
        stage_sessions(2, run=run, **wrong)
        with nullcontext() if not wrong else pytest.raises(Refused):
            audit.main(["--job", "sessionize", "--run", run])
    one, two = (run_folder("sessionize", run) / RECORD for run in runs)
    kept = one.read_text()
    one.write_text(two.read_text())
    two.write_text(kept)
    for run in runs:
        with pytest.raises(Refused, match="the audit belongs to other rows"):
            publish.main(["--job", "sessionize", "--run", run])


def test_publish_refuses_a_verdict_that_contradicts_its_rules(stage_sessions: Stage) -> None:
    stage_sessions(2, duration_s=-1.0)
    with pytest.raises(Refused):
        audit.main(JOB)
    write_audit(read_audit("sessionize", "r").model_copy(update={"passed": True}))
    with pytest.raises(Refused, match="the audit did not pass"):
        publish.main(JOB)


def test_publish_refuses_a_record_that_lacks_a_rule(stage_sessions: Stage) -> None:
    stage_sessions(2)
    audit.main(JOB)
    record = read_audit("sessionize", "r")
    rules = [result for result in record.tables["sessions"] if result.rule != "user_id.required"]
    write_audit(record.model_copy(update={"tables": {"sessions": rules}}))
    with pytest.raises(Refused, match=r"did not check user_id\.required of sessions"):
        publish.main(JOB)


def test_an_expectation_that_raises_fails_the_audit(stage_sessions: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Great Expectations raises the error, as the column does not exist."""
    from great_expectations.expectations import ExpectColumnValuesToNotBeNull

    from schemas.publishing import validator

    sound = validator.row_expectations
    errs = ExpectColumnValuesToNotBeNull(column="gone", meta={"rule": "user_id.required"})
    monkeypatch.setattr(validator, "row_expectations", lambda contract: [*sound(contract), errs])
    stage_sessions(2)
    with pytest.raises(Refused, match="the expectation raised an error"):
        audit.main(JOB)
    with pytest.raises(Refused, match="the audit did not pass"):
        publish.main(JOB)


def test_an_expectation_without_a_result_stops_the_audit(stage_sessions: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from schemas.publishing import validator

    whole = validator.suite
    monkeypatch.setattr(validator, "suite", lambda name, expectations: whole(name, expectations[1:]))
    stage_sessions(2)
    with pytest.raises(ConfigError, match=r"answered \d+ of \d+ expectations"):
        audit.main(JOB)
    with pytest.raises(ClickwrightError, match=r"run `python -m schemas.publishing.audit --job "):
        publish.main(JOB)


def test_publish_needs_an_audit(stage_sessions: Stage) -> None:
    stage_sessions(2)
    with pytest.raises(ClickwrightError, match=r"run `python -m schemas.publishing.audit --job "):
        publish.main(JOB)


def test_a_commit_records_run_code_and_inputs(stage_sessions: Stage) -> None:
    stage_sessions(2, inputs={"events": 41})
    audit.main(JOB)
    publish.main(JOB)
    commit = open_lake().commits("sessions")[0]
    assert (commit.run, commit.job, commit.inputs) == ("r", "sessionize", {"events": 41})
    assert commit.code_version == read_manifest("sessionize", "r").code_version
    assert commit.snapshot_id == open_lake().snapshot("sessions")


def test_newer_inputs_win_if_the_older_run_ends_last(stage_sessions: Stage) -> None:
    """A run that read an older input snapshot and ends last must not undo the newer run."""
    snapshots = []
    for n in (1, 2):  # two snapshots of an input table
        stage_sessions(n, run="input", closed_on=date(2026, 1, n))
        audit.main(["--job", "sessionize", "--run", "input"])
        publish.main(["--job", "sessionize", "--run", "input"])
        snapshots.append(open_lake().snapshot("sessions"))
    for run, n, snapshot in (("new", 5, snapshots[1]), ("old", 3, snapshots[0])):
        stage_sessions(n, run=run, inputs={"sessions": snapshot})
        audit.main(["--job", "sessionize", "--run", run])
        result = publish.main(["--job", "sessionize", "--run", run])
    assert result["sessions"]["superseded"]
    assert open_lake().arrow("sessions", f"closed_on = '{DAY}'").num_rows == 5


def test_concurrent_writers_lose_no_commit(stage_sessions: Stage) -> None:
    days = [DAY + timedelta(days=i) for i in range(6)]
    for i, day in enumerate(days):
        stage_sessions(i + 1, day, run=f"r{i}")
        audit.main(["--job", "sessionize", "--run", f"r{i}"])
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda i: publish.main(["--job", "sessionize", "--run", f"r{i}"]), range(6)))
    assert row_counts(open_lake()) == {"sessions": 21}


def test_a_failed_attempt_leaves_no_files(var: Path) -> None:
    def build() -> None:
        with open_attempt("sessionize", "r", {}) as attempt:
            attempt.write_arrow("sessions", session_rows(DAY, 2), replaces=("closed_on", [DAY]))
            raise RuntimeError("the disk went away")

    with pytest.raises(RuntimeError, match="disk"):
        build()
    assert not list((var / "lake").rglob("*.parquet"))
    assert not run_folder("sessionize", "r").exists()


def test_rows_outside_the_replaced_partitions_are_refused() -> None:
    with (
        pytest.raises(ClickwrightError, match="2026-11-20 are outside the partitions"),
        open_attempt("sessionize", "r", {}) as attempt,
    ):
        attempt.write_arrow("sessions", session_rows(DAY, 2), replaces=("closed_on", [date(2026, 1, 1)]))


def test_rows_with_another_schema_are_refused() -> None:
    rows = session_rows(DAY, 1).drop_columns("n_items")
    with pytest.raises(ClickwrightError, match="n_items"), open_attempt("sessionize", "r", {}) as attempt:
        attempt.write_arrow("sessions", rows, replaces=("closed_on", [DAY]))


def test_a_reader_can_pin_a_snapshot(stage_sessions: Stage) -> None:
    lake = open_lake()
    for n in (2, 4):
        stage_sessions(n)
        audit.main(JOB)
        publish.main(JOB)
        if n == 2:
            pinned = lake.snapshot("sessions")
            assert pinned is not None
            lake.tag("sessions", pinned, "training-1")
    assert lake.arrow("sessions", snapshot=pinned).num_rows == 2
    assert lake.arrow("sessions").num_rows == 4
    assert all(pq.read_metadata(file).num_rows for file in lake.files("sessions"))


def test_runs_with_similar_names_have_different_folders() -> None:
    assert slug("manual__1") == "manual__1"
    assert slug("a:b+c") != slug("a-b+c")


def stage_files(*files: pa.Table) -> None:
    """Stage sessions of :data:`DAY`, with one file per Arrow table."""
    with open_attempt("sessionize", "r", {}) as attempt:
        folder = attempt.folder("sessions")
        folder.mkdir(parents=True)
        for number, rows in enumerate(files):
            pq.write_table(rows, folder / f"part-{number}.parquet")
        attempt.replaces("sessions", "closed_on", [DAY])


@pytest.mark.parametrize("part_rows", ["1", "1000"])
def test_an_audit_in_parts_has_the_same_results(part_rows: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_AUDIT_PART_ROWS", part_rows)
    sound, more = session_rows(DAY, 9).slice(0, 5), session_rows(DAY, 9).slice(5)
    stage_files(sound, more)
    audit.main(JOB)
    rules = read_audit("sessionize", "r").tables["sessions"]
    assert all(rule.passed for rule in rules)
    assert len({rule.rule for rule in rules}) == len(rules)

    stage_files(sound, more, session_rows(DAY, 2))  # two sessions are in two files
    with pytest.raises(Refused, match=r"unique \(4 rows break it\)"):
        audit.main(JOB)

    stage_files(session_rows(DAY, 2, n_events=0), session_rows(DAY, 5).slice(2), session_rows(DAY, 6, n_events=0).slice(5))
    with pytest.raises(Refused, match=r"n_events must be at least 1 \(3 rows break it\)"):
        audit.main(JOB)


def test_the_row_count_is_checked_over_all_parts(tmp_path: Path) -> None:
    few = "    quality:\n      - {type: library, metric: rowCount, mustBeLessOrEqualTo: 5, severity: error}\n"
    text = (CONTRACTS / "sessions.odcs.yaml").read_text()
    assert "    quality:\n      - type: custom" in text
    limited = parse_contract(text.replace("    quality:\n      - type: custom", f"{few}      - type: custom"))
    stage_files(session_rows(DAY, 9).slice(0, 3), session_rows(DAY, 9).slice(3))
    table = read_manifest("sessionize", "r").tables["sessions"]
    for part_rows in (1, 1000):
        (result,) = [
            r for r in Auditor(tmp_path / "docs", part_rows).validate(limited, table, {}) if r.rule == "table.row_count"
        ]
        assert (result.passed, result.observed) == (False, 9)
