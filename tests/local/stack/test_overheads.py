"""The time of a day's run: spans parsed from logs, and overlaps counted once."""

from datetime import UTC, datetime, timedelta

from local.stack.overheads import Step, Work, seconds, shares, spans_in, whole_work, work_in

T = datetime(2026, 1, 5, 1, tzinfo=UTC)


def at(second: float) -> datetime:
    return T + timedelta(seconds=second)


def test_spans_are_parsed_from_log_lines() -> None:
    lines = [
        {"event": "Running: python -m schemas.publishing.audit"},
        {"event": "timestamp=2026-01-05T01:00:09Z level=info event=worked on=great_expectations seconds=2.5"},
        {"event": "timestamp=2026-01-05T01:00:10Z level=info event=staged job=clean seconds=3"},
        {"level": "info"},
    ]
    assert spans_in(lines) == {"great_expectations": [(at(6.5), at(9))]}


def test_overlaps_count_once() -> None:
    assert seconds([(at(0), at(3)), (at(2), at(5)), (at(7), at(8))]) == 6
    assert seconds([]) == 0


def test_java_that_two_tasks_use_at_once_counts_once() -> None:
    clean = work_in([{"event": "event=worked on=spark processor_seconds=0.5 java=7 java_from=10 java_to=13.5"}])
    items = work_in([{"event": "event=worked on=spark processor_seconds=0.25 java=7 java_from=12 java_to=14"}])
    audit = work_in([{"event": "event=worked on=great_expectations processor_seconds=2"}, {"level": "info"}])
    assert whole_work([items, clean, audit]) == 0.5 + 0.25 + 2 + (14 - 10)
    assert whole_work([clean, Work(0, (("8", 10, 11),))]) == 0.5 + 3.5 + 1, "the seconds of another Java are others"


def test_shares_of_a_run() -> None:
    steps = [
        Step("clean.build", (at(0), at(10)), {"spark": [(at(4), at(9))]}),
        Step("items.build", (at(1), at(12)), {"spark": [(at(6), at(11))]}),
        Step("clean.audit", (at(14), at(20)), {"great_expectations": [(at(16), at(19))]}),
    ]
    assert shares(steps) == {
        "whole": 20,
        "tasks": 18,
        "spark": 7,
        "pytorch": 0,
        "great_expectations": 3,
        "iceberg": 0,
        "computing": 7,
        "working": 10,
    }
