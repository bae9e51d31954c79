"""The queries of an evaluation and their histories."""

from datetime import date

import numpy as np
import pytest

from ml.data.cases import Cases, in_vocabulary, next_event_cases, window_cases
from ml.data.interactions import microseconds
from tests.ml.conftest import tiny

DAY_S = 24 * 3600
LETTERS = ["a", "b", "c", "d"]


def told(cases: Cases) -> list[tuple[int, int, str, str]]:
    """User, query, right item and history of each row, items as letters."""
    return [
        (int(user), int(query), LETTERS[target], "".join(LETTERS[i] for i in history))
        for user, query, target, history in zip(cases.user, cases.query, cases.target, cases.histories, strict=True)
    ]


def test_histories_end_strictly_before_the_query() -> None:
    events, _ = tiny(
        [
            ("ann", "a", 10), ("ann", "b", 20), ("ann", "c", 30), ("ann", "d", 30),
            ("bob", "c", 25),
        ],
        ["a", "b", "c", "d"],
    )  # fmt: skip
    cases = next_event_cases(events, start=20 * 1_000_000)
    got = [
        (int(u), "abcd"[t], ["abcd"[i] for i in h]) for u, t, h in zip(cases.user, cases.target, cases.histories, strict=True)
    ]
    assert got == [
        (0, "b", ["a"]),
        (0, "c", ["a", "b"]),
        (0, "d", ["a", "b"]),  # the event of the same second is not in the history
        (1, "c", []),
    ]
    assert [t.tolist() for t in cases.times] == [[10**7], [10**7, 2 * 10**7], [10**7, 2 * 10**7], []]
    assert len(next_event_cases(events, start=20 * 1_000_000, end=30 * 1_000_000)) == 2


def test_seen_items_are_not_asked_again() -> None:
    events, _ = tiny([("ann", "a", 10), ("ann", "a", 20), ("ann", "b", 30), ("ann", "b", 40)], ["a", "b"])
    cases = next_event_cases(events, start=15 * 1_000_000)
    assert cases.target.tolist() == [1]
    assert cases.histories[0].tolist() == [0, 0]


def test_unknown_item_is_a_negative_target() -> None:
    events, _ = tiny([("ann", "a", 10), ("ann", "new", 20), ("ann", "b", 30)], ["a", "b"])
    cases = next_event_cases(events, start=15 * 1_000_000)
    assert (cases.target[0] < 0, cases.target[1]) == (True, 1)
    assert [h.tolist() for h in cases.histories] == [[0], [0]]


def test_in_vocabulary_translates_indices() -> None:
    events, catalog = tiny([("ann", "a", 10), ("ann", "b", 20), ("ann", "c", 30)], ["a", "b", "c"])
    cases = next_event_cases(events, start=25 * 1_000_000)
    other, asked = in_vocabulary(["c", "gone", "a"], catalog, cases)
    assert other.titles == ["Title c", "", "Title a"]
    assert asked.target.tolist() == [0]
    assert asked.histories[0].tolist() == [2]
    assert asked.times[0].tolist() == [10**7]


def test_unknown_item_is_asked_once() -> None:
    events, _ = tiny([("ann", "new", 10), ("ann", "new", 20), ("ann", "other", 30)], ["a"])
    assert len(next_event_cases(events, start=0)) == 2


def test_late_events_are_not_in_the_history() -> None:
    rows = [("ann", "a", 10), ("ann", "b", DAY_S), ("ann", "c", 2 * DAY_S), ("ann", "d", 3 * DAY_S)]
    events, _ = tiny(rows, LETTERS, arrived={1: 2})  # b happens on day 1 and arrives on day 2
    start = DAY_S * 1_000_000
    assert told(next_event_cases(events, start)) == [(0, 0, "b", "a"), (0, 1, "c", "ab"), (0, 2, "d", "abc")]
    events, _ = tiny(rows, LETTERS, arrived={1: 3})  # here it arrives on day 3
    assert told(next_event_cases(events, start)) == [(0, 0, "b", "a"), (0, 1, "c", "a"), (0, 2, "d", "abc")]
    known = next_event_cases(events, start, known_by=4 * DAY_S * 1_000_000)
    assert told(known) == [(0, 0, "b", "a"), (0, 1, "c", "ab"), (0, 2, "d", "abc")]


def test_window_is_one_query_per_user() -> None:
    rows = [
        ("ann", "a", 10), ("ann", "b", DAY_S + 5), ("ann", "c", DAY_S + 9), ("ann", "b", DAY_S + 20), ("ann", "a", DAY_S + 30),
        ("bob", "d", DAY_S + 5),
        ("cid", "a", 20), ("cid", "a", DAY_S + 5),
    ]  # fmt: skip
    events, _ = tiny(rows, LETTERS)
    asked = window_cases(events, start=DAY_S * 1_000_000)
    # Seen items are not right items, repeated ones count once, and users without new items have no query.
    assert told(asked) == [(0, 0, "b", "a"), (0, 0, "c", "a"), (1, 1, "d", "")]
    late, _ = tiny(rows, LETTERS, arrived={0: 1})
    assert told(window_cases(late, start=DAY_S * 1_000_000))[0] == (0, 0, "b", "")


@pytest.mark.parametrize("make", [next_event_cases, window_cases])
def test_duplicate_rows_count_once(make) -> None:  # type: ignore[no-untyped-def]
    rows = [("ann", "a", 10), ("ann", "b", DAY_S + 20)]
    once, _ = tiny(rows, LETTERS)
    twice, _ = tiny(rows + rows, LETTERS, same_ids=True)
    assert len(twice) == 2
    start = DAY_S * 1_000_000
    assert told(make(once, start)) == told(make(twice, start)) == [(0, 0, "b", "a")]


def test_sample_takes_whole_queries() -> None:
    events, _ = tiny([(user, item, DAY_S + i) for user in ("ann", "bob", "cid") for i, item in enumerate(LETTERS)], LETTERS)
    part = window_cases(events, start=microseconds(date(1970, 1, 2))).sample(2)
    assert np.unique(part.query, return_counts=True)[1].tolist() == [4, 4]
