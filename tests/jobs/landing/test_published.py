"""A published day and its landing zone: files that are gone, became shorter, came later, or lie in sub-folders."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from jobs import arrivals
from jobs.landing.files import arrival_files
from jobs.landing.published import unread_files
from schemas.lake.lake import open_lake
from schemas.publishing import publish
from schemas.runtime.errors import NothingToDo, Refused
from schemas.runtime.settings import get_settings
from schemas.source import load_source
from tests.jobs.conftest import Deliver, line
from tests.pipeline import build, check, check_and_publish, run_job, run_jobs_here

pytestmark = pytest.mark.slow
D = date(1998, 4, 16)
CLF = '203.0.113.7 - - [16/Apr/1998:14:00:0{} +0000] "GET /page-{} HTTP/1.1" 200 99 "-" "Mozilla/4.04"'


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    run_jobs_here(monkeypatch)


def events() -> list[str]:
    return sorted(open_lake().arrow("events")["event_id"].to_pylist())


def three_hours(deliver: Deliver) -> list[Path]:
    return [
        deliver(line(event_id=f"e{hour}", user=f"u{hour}@shop.example", time=f"1998-04-16T{hour}:10:00Z"),
                hour=f"1998-04-16T{hour}")
        for hour in (13, 14, 15)
    ]  # fmt: skip


def clean_again(*options: str, run: str = "again") -> None:
    from jobs import clean

    clean.main(["--arrived-on", str(D), "--run", run, *options])
    check_and_publish("clean", run)


def test_day_is_not_made_again_without_the_files_that_it_was_published_from(deliver: Deliver) -> None:
    files = three_hours(deliver)
    run_job("clean", D, "first")
    shutil.rmtree(files[0].parent)
    shutil.rmtree(files[1].parent)
    gone = r"2 files that 1998-04-16 was published from are gone.*T13/part-000.jsonl.gz.*--allow-missing-files"
    for command in (arrivals.main, lambda arguments: build("clean", D, "again")):
        with pytest.raises(Refused, match=gone):
            command(["--arrived-on", str(D)])
    assert events() == ["e13", "e14", "e15"]
    clean_again("--allow-missing-files")
    assert events() == ["e15"]


def test_source_that_is_not_named_any_more_keeps_its_rows(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_SOURCES", "movielens,web_log")
    deliver(line(event_id="film"))
    deliver(*(CLF.format(i, i) for i in range(2)), source="web_log", name="access.log.gz")
    run_job("clean", D, "first")
    published = events()
    monkeypatch.setenv("CLICKWRIGHT_SOURCES", "movielens")
    with pytest.raises(Refused, match="their source is not read any more, and 2 lines with them; of source web_log"):
        build("clean", D, "again")
    assert events() == published


def test_file_that_lost_lines_is_refused(deliver: Deliver) -> None:
    deliver(line(event_id="a"), line(event_id="b", item="2"), line(event_id="c", item="3"))
    run_job("clean", D, "first")
    deliver(line(event_id="a"))
    with pytest.raises(Refused, match=r"1 files have lost 2 lines since 1998-04-16 was published; .*part-000"):
        clean_again()
    assert events() == ["a", "b", "c"]
    clean_again("--allow-missing-files", run="accepted")
    assert events() == ["a"]


def test_corrected_file_with_as_many_lines_replaces_the_rows(deliver: Deliver) -> None:
    deliver(line(event_id="a", item="1"))
    run_job("clean", D, "first")
    deliver(line(event_id="a", item="2"))
    clean_again()
    assert open_lake().arrow("events")["item_id"].to_pylist() == ["2"]


def test_day_is_made_again_after_an_erasure_blanked_lines(
    deliver: Deliver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs import erase_landing
    from schemas.erasure.__main__ import main as erase

    monkeypatch.setenv("CLICKWRIGHT_LANDING_IS_OURS", "true")
    deliver(line(event_id="a", user="ann@shop.example"), line(event_id="b", user="bob@shop.example"))
    run_job("clean", D, "first")
    (tmp_path / "ids").write_text("ann@shop.example\n")
    erase(["--from", str(tmp_path / "ids"), "--date", "1998-04-17"])
    erase_landing.main([])
    assert unread() == {}
    clean_again()
    assert events() == ["b"]


def unread() -> dict[date, list[str]]:
    return unread_files(open_lake(), [load_source("movielens")], get_settings())


def test_file_that_came_after_its_day_was_read_is_found(deliver: Deliver) -> None:
    deliver(line(event_id="a"))
    assert unread() == {}  # the day was never published: it is left to its own run
    run_job("clean", D, "first")
    assert unread() == {}
    deliver(line(event_id="b", item="2"), name="late-upload.jsonl.gz")
    assert unread() == {D: ["movielens/arrived=1998-04-16T15/late-upload.jsonl.gz"]}
    clean_again()
    assert (events(), unread()) == (["a", "b"], {})


def test_file_that_grew_after_its_day_was_read_is_found(deliver: Deliver) -> None:
    deliver(line(event_id="a"))
    run_job("clean", D, "first")
    deliver(line(event_id="a"), line(event_id="b", item="2"))
    assert list(unread()) == [D]


def test_files_in_sub_folders_are_read(deliver: Deliver, var: Path) -> None:
    deliver(line(event_id="a"), name="part-000.jsonl.gz")
    deliver(line(event_id="b", item="2"), name="host-1/part-000.jsonl.gz")
    deliver(line(event_id="c", item="3"), name="_temporary/0/part-000.jsonl.gz")
    files = arrival_files(var / "landing", "movielens", "movielens", D)
    assert [f.relative.removeprefix("movielens/arrived=1998-04-16T15/") for f in files] == [
        "host-1/part-000.jsonl.gz",
        "part-000.jsonl.gz",
    ]
    run_job("clean", D, "first")
    assert events() == ["a", "b"]


def build_and_check(run: str) -> None:
    build("clean", D, run)
    check("clean", run)


def test_build_that_read_fewer_files_does_not_replace_a_newer_one(deliver: Deliver) -> None:
    deliver(line(event_id="a"))
    build_and_check("slow")
    deliver(line(event_id="b", item="2"), hour="1998-04-16T16")
    run_job("clean", D, "quick")
    told = publish.main(["--job", "clean", "--run", "slow"])
    assert {name: table.get("superseded") for name, table in told.items()} == dict.fromkeys(told, True)
    assert events() == ["a", "b"]


def test_build_that_read_more_files_is_published_although_another_was_faster(deliver: Deliver) -> None:
    deliver(line(event_id="a"))
    build_and_check("less")
    deliver(line(event_id="b", item="2"), hour="1998-04-16T16")
    build_and_check("more")
    publish.main(["--job", "clean", "--run", "less"])
    publish.main(["--job", "clean", "--run", "more"])
    publish.main(["--job", "clean", "--run", "more"])  # a retry
    assert events() == ["a", "b"]
    assert open_lake().arrow("landing_files").num_rows == 2


def test_builds_that_read_different_files_are_refused(deliver: Deliver) -> None:
    first = deliver(line(event_id="a"))
    build_and_check("slow")
    first.unlink()
    deliver(line(event_id="b", item="2"), hour="1998-04-16T16")
    run_job("clean", D, "quick")
    with pytest.raises(Refused, match="another build was published since this one began, and read other files"):
        publish.main(["--job", "clean", "--run", "slow"])
    assert events() == ["b"]


def test_published_day_of_a_source_that_delivers_no_more_has_nothing_to_do(
    deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(line(event_id="a"))
    run_job("clean", D, "first")
    monkeypatch.setattr("schemas.source.Source.delivers_on", lambda source, day: False)
    with pytest.raises(NothingToDo):
        build("clean", D, "again")
    assert events() == ["a"]
