"""Clean: every line is an event, a reject with its reasons, or a counted duplicate."""

import gzip
import hashlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobs.cleaning.accounting import digest_of, landing_rows
from jobs.landing import files
from schemas.contract import CONTRACTS, table_names
from schemas.lake.lake import open_lake
from schemas.lake.pseudonym_key import pseudonym_key
from schemas.pages import table_docs
from schemas.privacy.pseudonyms import pseudonym
from schemas.publishing import audit, publish
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import get_settings
from tests.jobs.conftest import DAY, GOOD, Deliver, line

pytestmark = pytest.mark.slow
Cleaned = Callable[..., dict[str, Any]]


def reasons(result: dict[str, Any]) -> list[list[str]]:
    return [row["reasons"] for row in sorted(result["rejects"], key=lambda r: (r["source_file"], r["line_number"]))]


def test_valid_line_becomes_an_event(deliver: Deliver, cleaned: Cleaned) -> None:
    deliver(line())
    (event,) = cleaned()["events"]
    assert event == {
        "event_date": DAY,
        "arrived_on": DAY,
        "event_id": "e1",
        "user_id": pseudonym(pseudonym_key(get_settings()), GOOD["user"]),
        "event_type": "rating",
        "event_time": datetime(1998, 4, 16, 14, 20, 5, tzinfo=UTC),
        "item_id": "242",
        "device": "web",
        "country": None,
        "surface": "catalogue",
        "position": None,
        "value": 3.0,
        "propensity": None,
        "text": None,
        "source": "movielens",
        "source_file": "movielens/arrived=1998-04-16T15/part-000.jsonl.gz",
        "line_number": 1,
        "arrived_at": datetime(1998, 4, 16, 16, tzinfo=UTC),
        "lag_seconds": 5995.0,
        "days_late": 0,
    }


def test_broken_lines_become_rejects_with_every_reason(deliver: Deliver, cleaned: Cleaned) -> None:
    lines_and_reasons: list[tuple[str | bytes, list[str]]] = [
        (line()[:40], ["line.not_json"]),
        (b'{"user": "\xff\xfe"}', ["line.not_utf8"]),
        (line(event_id="a", user=None), ["user_id.required"]),
        (line(event_id="b", user="  "), ["user_id.required"]),
        (line(event_id="c", user=...), ["user_id.required"]),
        (line(event_id="d", time="yesterday"), ["event_time.unreadable"]),
        (line(event_id="e", time="1998-02-30T10:00:00Z"), ["event_time.unreadable"]),
        (line(event_id="f", time="1998"), ["event_time.unreadable"]),
        (line(event_id="g", time=None), ["event_time.required"]),
        (line(event_id="h", time="1970-01-01T00:00:00Z"), ["event_time.range"]),
        (line(event_id="i", time="9999-12-31T23:59:59Z"), ["lag_seconds.range"]),
        (line(event_id="j", time="1998-04-16T16:05:01Z"), ["lag_seconds.range"]),
        (line(event_id="k", time="1998-04-12T14:00:00Z"), ["days_late.range"]),
        (line(event_id="l", type="wink"), ["event_type.unknown"]),
        (line(event_id="m", rating=0), ["value.source_range"]),
        (line(event_id="n", rating=-1), ["value.range", "value.source_range"]),
        (line(event_id="o", rating="five"), ["value.unreadable"]),
        (line(event_id="p", agent="ExampleBot/1.0"), ["robot.declared"]),
        (line(event_id="q", user="", rating=11), ["user_id.required", "value.source_range"]),
    ]
    deliver(*[text for text, _ in lines_and_reasons])
    result = cleaned()
    assert result["events"] == []
    assert reasons(result) == [expected for _, expected in lines_and_reasons]


def test_late_and_slightly_early_events_are_kept(deliver: Deliver, cleaned: Cleaned) -> None:
    times = ["1998-04-13T14:00:00Z", "1998-04-16T16:05:00Z", "1998-04-16T14:00:00+02:00"]
    deliver(*[line(event_id=str(i), time=time) for i, time in enumerate(times)])
    late = {e["event_id"]: (e["days_late"], e["event_time"].hour) for e in cleaned()["events"]}
    assert late == {"0": (3, 14), "1": (0, 16), "2": (0, 12)}


def test_lateness_does_not_apply_to_a_history_load(deliver: Deliver, cleaned: Cleaned) -> None:
    deliver(line(time="1997-10-01T10:00:00Z"))
    (event,) = cleaned(history=True)["events"]
    assert event["days_late"] is None


def test_duplicates_within_an_arrival_are_counted(deliver: Deliver, cleaned: Cleaned) -> None:
    deliver(
        line(),
        line(),  # the same line again
        line(event_id="e2", time="1998-04-16T14:20:06Z"),  # the same behaviour a second later
        line(event_id="e3", time="1998-04-16T14:20:30Z"),  # later, so intended
        line(event_id="e4", item="100", time="1998-04-16T14:20:05Z"),  # another item
    )
    deliver(line(), hour="1998-04-16T16")  # the same line in a later hour of the day
    result = cleaned()
    assert sorted((e["event_id"], e["line_number"]) for e in result["events"]) == [("e1", 1), ("e3", 4), ("e4", 5)]
    assert result["figures"]["exact_duplicates"] == 2
    assert result["figures"]["near_duplicates"] == 1


def test_event_id_with_other_content_is_a_conflict(deliver: Deliver, cleaned: Cleaned) -> None:
    deliver(line(), line(rating=5))
    result = cleaned()
    assert [e["value"] for e in result["events"]] == [3.0]
    assert reasons(result) == [["event_id.conflict"]]
    assert result["figures"]["set_aside"] == 1  # one user's ids used again do not refuse a day


def test_user_with_too_many_events_a_day_is_rejected(
    deliver: Deliver, cleaned: Cleaned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLICKWRIGHT_ROBOT_EVENTS_PER_DAY", "3")
    busy = [line(event_id=f"b{i}", user="busy", item=str(i)) for i in range(4)]
    calm = [line(event_id=f"c{i}", user="calm", item=str(i)) for i in range(3)]
    deliver(*busy, *calm)
    result = cleaned()
    assert sorted(e["event_id"] for e in result["events"]) == ["c0", "c1", "c2"]
    assert reasons(result) == [["robot.too_many_events"]] * 4


def test_truncated_file_gives_its_lines_and_a_reason(deliver: Deliver, cleaned: Cleaned) -> None:
    path = deliver(*[line(event_id=str(i), item=str(i)) for i in range(3000)])
    path.write_bytes(path.read_bytes()[:-2000])
    deliver(line(event_id="sound", item="sound"), name="part-001.jsonl.gz")
    result = cleaned()
    assert "sound" in {e["event_id"] for e in result["events"]}
    assert ["file.truncated"] in reasons(result)
    figures = result["figures"]
    assert figures["lines_read"] == figures["events"] + figures["rejects"] + figures["duplicates"]


def test_other_compressions_and_wrong_files(deliver: Deliver, cleaned: Cleaned, var: Path) -> None:
    folder = deliver(line(event_id="z")).parent
    (folder / "plain.jsonl").write_text(line(event_id="plain", item="1") + "\r\n\n")
    (folder / "empty.jsonl").touch()
    (folder / "not-gzip.jsonl.gz").write_text("hello")
    (folder / "long.jsonl").write_text(line(event_id="long", surface="x" * (1 << 21)) + "\n" + line(event_id="after", item="2"))
    result = cleaned()
    assert {e["event_id"] for e in result["events"]} == {"z", "plain", "after"}
    assert sorted(reasons(result)) == [["line.not_json"], ["line.too_long"]]  # a file is what its first bytes say


def test_rerun_gives_the_same_rows(deliver: Deliver, cleaned: Cleaned) -> None:
    deliver(line(), line(event_id="e2", item="7"), line()[:30])
    first, second = cleaned(), cleaned(run="again")
    assert first["events"] == second["events"]
    assert first["rejects"] == second["rejects"]
    assert first["figures"] == second["figures"]


def test_no_raw_user_id_in_events_or_rejects(deliver: Deliver, cleaned: Cleaned, var: Path) -> None:
    person = GOOD["user"]
    deliver(
        line(),
        line(event_id="e2", time="yesterday"),
        line()[: line().index(person) + len(person) + 3],  # cut off just after the id
        line(rating=person),  # the id where a rating belongs
    )
    deliver(line(event_id=f"{person}-7", item="7"), hour="1998-04-16T17")  # the id inside another
    result = cleaned()
    assert len(result["rejects"]) == 3
    kept = repr(result["events"]) + repr(result["rejects"])
    assert pseudonym(pseudonym_key(get_settings()), person) in kept
    assert person not in kept


def test_rejects_expectations_and_docs_have_the_same_rules(deliver: Deliver, cleaned: Cleaned, var: Path) -> None:
    sound = [line(event_id=f"s{i}", item=str(i)) for i in range(20)]
    deliver(*sound, line(event_id="a", user=""), line(event_id="b", user="", rating=-1), line(event_id="c", time=None), "{")
    result = cleaned()
    audit.main(["--job", "clean", "--run", "r"])
    publish.main(["--job", "clean", "--run", "r"])
    lake = open_lake()
    rules = {
        r["id"]: (r["rejected"], r["suite"]) for r in table_docs.describe(table_docs.load_contract("events"), lake, 0)["rules"]
    }
    assert {rule: counts for rule, counts in rules.items() if counts != (0, 0)} == {
        "user_id.required": (2, 2),
        "value.range": (1, 1),
        "event_time.required": (1, 1),
    }
    pages = table_docs.write_docs(var / "docs", lake)
    assert '<td class="n">2</td><td class="n">2</td>' in (var / "docs" / "events.html").read_text()
    assert len(pages) == 1 + len(table_names())
    assert result["figures"]["reasons"]["line.not_json"] == 1


def test_too_many_rejects_fail_the_audit(deliver: Deliver, cleaned: Cleaned) -> None:
    deliver(line(), "{", "{")
    cleaned()
    with pytest.raises(audit.Refused, match=r"rejects \[arrived_on=1998-04-16\].*at most 20 % of records"):
        audit.main(["--job", "clean", "--run", "r"])


def test_rule_change_in_the_contract_takes_effect_everywhere(
    deliver: Deliver, cleaned: Cleaned, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, var: Path
) -> None:
    """The rating's range is one line of the contract; rejects, expectations and docs follow it."""
    folder = tmp_path / "contracts"
    folder.mkdir()
    for path in CONTRACTS.glob("*.yaml"):
        (folder / path.name).write_text(path.read_text())
    events = folder / "events.odcs.yaml"
    events.write_text(events.read_text().replace("maximum: 1000000000", "maximum: 4"))
    for function in (table_docs.load_contract, table_docs.write_docs):
        monkeypatch.setattr(function, "__defaults__", (folder,))
    deliver(*[line(event_id=f"s{i}", item=str(i), rating=4) for i in range(9)], line(event_id="five", rating=5))
    result = cleaned()
    assert reasons(result) == [["value.range"]]
    audit.main(["--job", "clean", "--run", "r"])
    publish.main(["--job", "clean", "--run", "r"])
    table_docs.write_docs(var / "docs", open_lake())
    page = (var / "docs" / "events.html").read_text()
    assert "value must be at least 0 and at most 4" in page
    assert table_docs.seen_by_suite(open_lake(), "events") == {"value.range": 1} == table_docs.rejected_by_rule(open_lake())


def test_endless_chain_is_rejected(deliver: Deliver, cleaned: Cleaned) -> None:
    hours = [f"1998-04-16T{h:02d}:{m:02d}:00Z" for h in range(1, 21) for m in (0, 29, 58)]
    restless = [line(event_id=f"r{i}", user="restless", item=str(i), time=time) for i, time in enumerate(hours)]
    with_a_pause = [line(event_id=f"p{i}", user="patient", item=str(i), time=t) for i, t in enumerate(hours) if "T10:" not in t]
    deliver(*restless, *with_a_pause, hour="1998-04-16T21")
    result = cleaned()
    assert {e["event_id"][0] for e in result["events"]} == {"p"}
    assert result["figures"]["reasons"] == {"robot.endless_chain": len(restless)}


@pytest.mark.parametrize("bucket_bytes", [1 << 30, 20])
def test_event_ids_of_other_users_are_other_ids(
    deliver: Deliver, cleaned: Cleaned, monkeypatch: pytest.MonkeyPatch, bucket_bytes: int
) -> None:
    monkeypatch.setattr("jobs.exchange.exchange.BUCKET_BYTES", bucket_bytes)
    guessed = [line(event_id=str(i), user="the-stranger", item="x", time=f"1998-04-16T12:{i:02}:00Z") for i in range(20)]
    deliver(*guessed, hour="1998-04-16T14")
    deliver(*[line(event_id=str(i), user=f"shopper-{i:04d}", item=str(i)) for i in range(20)])
    deliver(line(event_id="7", user="shopper-0007", item="7"), hour="1998-04-16T16")
    result = cleaned()
    ids = [str(i) for i in range(20)]
    assert sorted((e["event_id"], e["item_id"]) for e in result["events"]) == sorted(
        [*zip(ids, ids, strict=True), *((i, "x") for i in ids)]
    )
    assert (result["figures"]["rejects"], result["figures"]["exact_duplicates"]) == (0, 1)


def test_entries_that_are_not_read_are_rejects(deliver: Deliver, cleaned: Cleaned) -> None:
    folder = deliver(line()).parent
    (folder / os.fsdecode(b"\xff.jsonl")).write_text(line(event_id="e2") + "\n")
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "bomb.jsonl.gz").write_bytes(gzip.compress(bytes(64 << 20)))
    result = cleaned()
    found = {row["source_file"].rpartition("/")[2]: (row["line_number"], row["reasons"]) for row in result["rejects"]}
    assert found == {
        r"\xff.jsonl": (0, ["file.bad_name"]),
        "pipe.jsonl": (0, ["file.not_a_file"]),
        "bomb.jsonl.gz": (0, ["file.too_large"]),
    }
    assert (result["figures"]["events"], result["figures"]["lines_read"]) == (1, 4)


def test_file_that_grows_while_it_is_read_is_an_error(
    deliver: Deliver, cleaned: Cleaned, var: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = deliver(line())

    def grows(*args: Any) -> Any:
        found = files.expect_arrival(*args)
        path.write_bytes(path.read_bytes() + b"more")  # after the folder was listed, before the file is read
        return found

    monkeypatch.setattr("jobs.clean.expect_arrival", grows)
    with pytest.raises(ClickwrightError, match=r"a landing file changed while it was read; .*part-000.jsonl.gz; nothing was"):
        cleaned()
    assert not list((var / "lake").rglob("*.parquet"))


def test_landing_files_read_in_pieces_are_recorded_whole(deliver: Deliver, var: Path) -> None:
    path = deliver(line())
    hour = datetime(1998, 4, 16, 16, tzinfo=UTC)
    file = files.found_file("movielens", path, var / "landing", hour)
    pieces = [{"read": [(0, 3, 2, None, False)]}, {"read": [(0, 0, 5, "ab" * 32, False)]}]  # in any order
    landed = landing_rows(pieces, [file], DAY)
    (row,) = landed.to_pylist()
    assert (row["source_file"], row["bytes"], row["lines"]) == (file.relative, path.stat().st_size, 7)
    assert (row["arrived_on"], row["arrived_at"], row["sha256"]) == (DAY, hour, "ab" * 32)
    renamed = landed.set_column(1, "source_file", [["other"]])
    assert digest_of(landed)["bytes"] == path.stat().st_size
    assert digest_of(landed)["sha256"] != digest_of(renamed)["sha256"]


def test_landing_files_are_recorded_with_their_digests(deliver: Deliver, cleaned: Cleaned) -> None:
    paths = [deliver(line(event_id="a"), line(event_id="b"), name="a.jsonl.gz"), deliver("{", name="b.jsonl.gz")]
    day = cleaned()
    told = [(row["source_file"].rsplit("/", 1)[-1], row["bytes"], row["lines"], row["sha256"]) for row in day["landing_files"]]
    found = [
        (p.name, p.stat().st_size, n, hashlib.sha256(p.read_bytes()).hexdigest()) for p, n in zip(paths, (2, 1), strict=True)
    ]
    assert sorted(told) == found
    assert day["manifest"].notes["landing"]["bytes"] == sum(p.stat().st_size for p in paths)
