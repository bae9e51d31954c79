"""Erasure removes a person from every byte of the lake; all other rows stay."""

import io
import json
from pathlib import Path

import pytest

from schemas.erasure.__main__ import main as erase
from schemas.erasure.pages import PAINTED
from schemas.erasure.receipt import receipts
from schemas.lake.lake import open_lake, row_counts
from schemas.maintenance import compact, expire_snapshots
from schemas.privacy.personal_data import TRACE
from schemas.privacy.suppression_list import read_erased
from schemas.publishing import publish
from schemas.publishing.staging import open_attempt, read_manifest
from schemas.runtime.errors import ClickwrightError, ConfigError, NobodyFound, NothingToDo, Refused
from schemas.runtime.settings import get_settings
from tests.schemas.erasure.search import search
from tests.schemas.lakes import DAYS, FIELD, RAW, pass_audit, person, rows_of, stage, write_day

pytestmark = pytest.mark.slow

ANNA, BELA, ZORA = RAW
DATE = ["--date", "2026-11-21"]


def fill(days: int = 1) -> None:
    for table in FIELD:
        for day in DAYS[:days]:
            write_day(table, day)


def traces(raw: str) -> list[str]:
    """The texts that identify a person: the raw id, and the part of the pseudonym that column bounds keep."""
    return [raw, person(raw)[:TRACE]]


def test_no_byte_of_the_person_is_left_and_other_rows_stay(var: Path) -> None:
    fill()
    write_day("sessions", DAYS[0], run="again")  # older snapshots hold the person too
    lake = open_lake()
    lake.tag("session_events", int(lake.snapshot("session_events") or 0), "train-1")
    before = {table: lake.arrow(table).to_pylist() for table in FIELD}
    assert search(var / "lake", traces(ANNA))[0]
    answer = erase(["--raw-id", ANNA, *DATE])
    found, looked = search(var, traces(ANNA))
    assert found == []
    assert looked > 100_000
    for table, rows in before.items():
        left = [row for row in rows if person(ANNA) not in str(row)]
        assert sorted(map(str, lake.arrow(table).to_pylist())) == sorted(map(str, left))
        assert len(left) == 2
    (receipt,) = answer["receipts"].values()
    assert {table: found["rows"] for table, found in receipt["tables"].items()} == dict.fromkeys(sorted(FIELD), 1)
    assert receipt["tables"]["session_events"]["tags"] == ["train-1"]
    assert "train-1" not in lake.table("session_events").refs()


@pytest.mark.parametrize("raw", RAW)
def test_column_bounds_of_the_person_are_removed(var: Path, raw: str) -> None:
    """Manifests hold the least and the greatest value of a column, for a while also for removed files."""
    for people in (RAW, RAW[::-1]):
        write_day("sessions", DAYS[0], people)
    compact.compact(open_lake(), "sessions", "keep", fewest=2)
    erase(["--raw-id", raw, *DATE])
    assert search(var / "lake", traces(raw))[0] == []
    assert open_lake().arrow("sessions").num_rows == 2


def test_only_files_with_the_person_are_rewritten() -> None:
    write_day("sessions", DAYS[0], RAW[1:])
    write_day("sessions", DAYS[1])
    lake = open_lake()
    untouched = lake.files("sessions", f"closed_on = '{DAYS[0]}'")
    erase(["--raw-id", ANNA, *DATE])
    assert lake.files("sessions", f"closed_on = '{DAYS[0]}'") == untouched
    assert lake.arrow("sessions").num_rows == 4


def test_a_partition_with_only_the_person_becomes_empty() -> None:
    write_day("sessions", DAYS[0], [ANNA])
    erase(["--raw-id", ANNA, *DATE])
    assert row_counts(open_lake(), ["sessions"]) == {"sessions": 0}


def test_the_commit_records_removed_rows_and_keeps_lineage() -> None:
    write_day("sessions", DAYS[0])
    lake = open_lake()
    origin = lake.current_commits("sessions")
    erase(["--raw-id", ANNA, *DATE])
    newest = lake.commits("sessions")[0]
    assert (newest.job, newest.notes["rows_removed"], newest.audit) == ("erase", 1, {})
    assert lake.current_commits("sessions") == origin


def test_persons_from_standard_input_are_one_request(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ANNA}\n\n  {ZORA}  \n"))
    answer = erase(["--from", "-", *DATE])
    (receipt,) = answer["receipts"].values()
    assert receipt["persons"] == 2
    assert search(var, [*traces(ANNA), *traces(ZORA)])[0] == []
    assert set(row_counts(open_lake()).values()) == {1}


def test_a_repeated_request_keeps_the_receipt(tmp_path: Path) -> None:
    fill()
    asked = tmp_path / "asked.txt"
    asked.write_text(ANNA + "\n")
    erase(["--from", str(asked), *DATE])
    (receipt,) = receipts(get_settings())
    first = receipt.read_text()
    erase(["--from", str(asked), "--date", "2026-12-01"])
    assert receipts(get_settings()) == [receipt]
    again, before = json.loads(receipt.read_text()), json.loads(first)
    assert {t: f["rows"] for t, f in again["tables"].items()} == {t: f["rows"] for t, f in before["tables"].items()}
    assert again["on"] == "2026-11-21"


def test_an_unknown_person_is_put_on_the_suppression_list() -> None:
    write_day("sessions", DAYS[0])
    with pytest.raises(NobodyFound, match=r"1 of 1 lines .* found nobody in the lake: line 1; see .*; compare these ids"):
        erase(["--raw-id", "nobody@people.example", *DATE])
    (path,) = receipts(get_settings())
    receipt = json.loads(path.read_text())
    assert receipt["tables"] == {}
    assert receipt["lines"][0]["found_in"] == []
    assert read_erased().among([person("nobody@people.example"), person(ANNA)]).keys() == {person("nobody@people.example")}


def test_staged_rows_of_the_person_are_removed(var: Path) -> None:
    write_day("sessions", DAYS[0], RAW[1:])
    stage("sessions", DAYS[1], run="waiting")
    pass_audit("waiting")
    erase(["--raw-id", ANNA, *DATE])
    assert search(var, traces(ANNA))[0] == []
    with pytest.raises(Refused, match="was changed or removed after its audit"):
        publish.main(["--job", "test", "--run", "waiting"])


@pytest.mark.parametrize("table", ["sessions", "rejects", "conflicts"])
def test_a_running_job_cannot_bring_the_person_back(table: str) -> None:
    write_day(table, DAYS[0])
    with open_attempt("test", "slow", {}) as attempt:
        rows = rows_of(table, RAW, DAYS[1], 1)
        erase(["--raw-id", ANNA, *DATE])
        attempt.write_arrow(table, rows, replaces=(FIELD[table], [DAYS[1]]))
    pass_audit("slow")
    with pytest.raises(Refused, match="include a person who has been erased"):
        publish.main(["--job", "test", "--run", "slow"])
    assert open_lake().arrow(table).num_rows == 2


def test_a_concurrent_publish_retries_and_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The erasure runs between the check of the staged rows and the commit."""
    import schemas.lake.lake as module

    write_day("sessions", DAYS[0], RAW[1:])
    stage("sessions", DAYS[1], run="racing")
    pass_audit("racing")
    refuse, first = module.refuse_erased, [True]

    def just_before(*args: object) -> None:
        refuse(*args)  # type: ignore[arg-type]
        if first.pop() if first else False:
            hidden = list(Path(get_settings().table_files).rglob("*.parquet"))
            kept = {path: path.read_bytes() for path in hidden}
            erase(["--raw-id", ANNA, *DATE])
            for path, content in kept.items():  # as if the erasure had missed the staged file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    monkeypatch.setattr(module, "refuse_erased", just_before)
    with pytest.raises(Refused, match="include a person who has been erased"):
        publish.main(["--job", "test", "--run", "racing"])
    assert open_lake().arrow("sessions").num_rows == 2


def test_pseudonyms_in_pages_and_records_are_redacted(var: Path) -> None:
    """No page of an audit holds one, so this page stands for any that a program left in the state folder."""
    pages = ["audits/test/r/index.html", "logs/alarms.jsonl"]
    for page in pages:
        (var / page).parent.mkdir(parents=True, exist_ok=True)
        (var / page).write_text(f"<td>{person(ANNA)}</td><td>{person(BELA)}</td>")
    (receipt,) = erase(["--raw-id", ANNA, *DATE])["receipts"].values()
    assert receipt["pages_painted_over"] == pages
    for page in pages:
        assert (var / page).read_text() == f"<td>{PAINTED.decode()}</td><td>{person(BELA)}</td>"


def test_snapshots_without_the_person_stay_readable() -> None:
    lake = open_lake()
    write_day("sessions", DAYS[0], RAW[1:])
    pinned = lake.snapshot("sessions")
    write_day("sessions", DAYS[1])
    erase(["--raw-id", ANNA, *DATE])
    assert lake.arrow("sessions", snapshot=pinned).num_rows == 2


def test_maintenance_works_after_an_erasure(now: object) -> None:
    for people in (RAW[1:], RAW, RAW):
        write_day("sessions", DAYS[0], people)
    erase(["--raw-id", ANNA, *DATE])
    lake = open_lake()
    expire_snapshots.expire(lake, "sessions", now)  # type: ignore[arg-type]
    assert len(lake.table("sessions").snapshots()) == 1
    write_day("sessions", DAYS[0], RAW[1:])
    assert lake.arrow("sessions").num_rows == 2


def test_a_pending_request_has_mode_600_and_is_deleted_later(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import schemas.erasure.__main__ as module

    write_day("sessions", DAYS[0])
    with monkeypatch.context() as patch:
        patch.setattr(module, "sweep", lambda *_: (_ for _ in ()).throw(ClickwrightError("the power failed")))
        with pytest.raises(ClickwrightError, match="power"):
            erase(["--raw-id", ANNA, *DATE])
    (request,) = (var / "erasures").glob("*.request.json")
    assert request.stat().st_mode & 0o777 == 0o600
    (receipt,) = erase(["--pending"])["receipts"].values()
    assert receipt["tables"]["sessions"]["rows"] == 1
    assert not list((var / "erasures").glob("*.json"))
    with pytest.raises(NothingToDo, match="no erasure is pending"):
        erase(["--pending"])


def test_receipt_and_list_do_not_identify_the_person(var: Path) -> None:
    fill()
    erase(["--raw-id", ANNA, *DATE])
    assert search(var / "erasures", traces(ANNA))[0] == []
    assert len(list((var / "erasures" / "erased").iterdir())) == 1


def test_a_request_without_ids_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    with pytest.raises(ConfigError, match="no user id is given"):
        erase(["--from", str(empty), *DATE])
    with pytest.raises(ConfigError, match="no such file"):
        erase(["--from", str(tmp_path / "missing.txt"), *DATE])


def test_rows_of_others_can_still_be_published() -> None:
    erase(["--raw-id", ANNA, *DATE, "--landing-follows"])
    write_day("sessions", DAYS[0], RAW[1:])
    assert open_lake().arrow("sessions").num_rows == 2
    assert read_manifest("test", f"sessions-{DAYS[0]}").tables["sessions"].rows == 2
