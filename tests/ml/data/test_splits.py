"""The cut by global time, leave-one-out, and no leaks from the future."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ml.data.interactions import microseconds
from ml.data.splits import Split, by_time, leave_one_out
from ml.models import recipe
from tests.ml.conftest import EVERY_RECIPE, SMALL, TRAIN_UNTIL, VALID_DAYS, catalogue, gathered, tiny, walk_events, walk_items

pytestmark = pytest.mark.slow


def test_parts_are_cut_at_midnight(walk: Split) -> None:
    start = microseconds(TRAIN_UNTIL - timedelta(days=VALID_DAYS))
    assert walk.fit.time.max() < start
    assert walk.refit.time.max() < microseconds(TRAIN_UNTIL)
    assert len(walk.fit) < len(walk.refit)
    assert len(walk.validation) > 20
    assert len(walk.test) > 20


def changed_future(events: pd.DataFrame, moment: date) -> pd.DataFrame:
    """The same past with another future: other items after ``moment``, and late events that arrive after it."""
    after = events["event_time"] >= microseconds(moment)
    events = events.copy()
    events.loc[after, "item_id"] = "i00"
    late = events[~after].tail(20).assign(arrived_on=moment, event_id=lambda rows: "late" + rows["event_id"], item_id="i39")
    return pd.concat([events, late], ignore_index=True)


QUICK: dict[str, dict[str, Any]] = {"transformer": {"max_epochs": 1, "width": 8, "max_length": 16}, "als": SMALL["als"]}
QUICK["hybrid"] = {"members": {name: QUICK[name] for name in ("transformer", "als")} | {"cooccurrence": {}}}
"""Settings with which a recipe learns little: here only its inputs matter."""


def parameters(name: str, part: Split) -> np.ndarray:
    model = recipe(name)(**QUICK.get(name, {})).fit(part.refit, part.catalog, seed=5)
    return model.scores([np.array([], dtype=np.int32), np.array([3]), np.array([3, 5, 8])])


EVENT = st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from("abcd"), st.integers(0, 5), st.integers(0, 3))
"""User, item, day of the event, days until it arrives."""
MOMENT = 3


def cut(rows: list[tuple[str, str, int, int]]) -> Split:
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "day", "late"])
    start = date(2024, 1, 1)
    frame["event_time"] = [microseconds(start + timedelta(days=day)) + ord(item) for _, item, day, _ in rows]
    frame["event_id"] = [f"{item}{day}" for _, item, day, _ in rows]
    frame["arrived_on"] = [start + timedelta(days=day + late) for _, _, day, late in rows]
    items = pd.DataFrame({"item_id": ["a"], "title": ["Title a"], "categories": [["any"]], "text": [""]})
    return by_time(gathered(frame), catalogue(items), start + timedelta(days=MOMENT), valid_days=1)


@settings(deadline=None, max_examples=50)
@given(st.lists(EVENT, min_size=1), st.lists(EVENT))
def test_later_events_and_arrivals_change_nothing(past, future) -> None:  # type: ignore[no-untyped-def]
    known = [row for row in past if row[2] + row[3] < MOMENT]
    poison = [row for row in future if row[2] + row[3] >= MOMENT]
    assume(known)
    clean, poisoned = cut(known), cut([*poison, *known])
    assert clean.catalog == poisoned.catalog
    for part in ("fit", "refit"):
        for name in ("user_index", "item_index", "time", "arrived"):
            ours, theirs = (getattr(getattr(found, part), name).tolist() for found in (clean, poisoned))
            assert ours == theirs, (part, name)
    assert clean.validation.target.tolist() == poisoned.validation.target.tolist()
    assert [h.tolist() for h in clean.validation.histories] == [h.tolist() for h in poisoned.validation.histories]


def test_leave_one_out() -> None:
    rows = [("ann", item, i) for i, item in enumerate("abcd")] + [("bob", "b", 1), ("bob", "c", 2)]
    found = leave_one_out(*tiny(rows, list("abcd")))
    assert ["".join("abcd"[i] for i in h) for h in found.fit.histories()] == [
        "ab",
        "bc",
    ]  # bob has too few events for a query
    assert ["".join("abcd"[i] for i in h) for h in found.refit.histories()] == ["abc", "bc"]
    for cases, target, history in ((found.validation, "c", "ab"), (found.test, "d", "abc")):
        assert ["abcd"[i] for i in cases.target] == [target]
        assert "".join("abcd"[i] for i in cases.histories[0]) == history


@pytest.mark.parametrize("name", EVERY_RECIPE)
def test_fit_does_not_see_the_future(name: str) -> None:
    events, items = walk_events(), catalogue(walk_items())
    other = changed_future(events, TRAIN_UNTIL)
    known = by_time(gathered(events), items, TRAIN_UNTIL, VALID_DAYS)
    same = by_time(gathered(other), items, TRAIN_UNTIL, VALID_DAYS)
    assert len(same.test) != len(known.test) or not np.array_equal(same.test.target, known.test.target)
    learned = parameters(name, known)
    np.testing.assert_array_equal(learned, parameters(name, same))
    np.testing.assert_array_equal(known.validation.target, same.validation.target)
    # It does see the past: without the last ten days the model differs.
    earlier = by_time(gathered(events), items, TRAIN_UNTIL - timedelta(days=10), VALID_DAYS)
    assert not np.array_equal(learned, parameters(name, earlier))
