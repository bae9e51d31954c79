"""The split by global time, the questions of the evaluation, and the rule that a fit sees nothing from the future."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from ml.data import Split, cases_from, in_vocabulary, microseconds, split
from ml.models import RECIPES, recipe
from tests.ml.conftest import TRAIN_UNTIL, VALID_DAYS, tiny, walk_events, walk_items


def test_questions_hold_what_came_strictly_before() -> None:
    events, _ = tiny(
        [
            ("ann", "a", 10), ("ann", "b", 20), ("ann", "c", 30), ("ann", "d", 30),
            ("bob", "c", 25),
        ],
        ["a", "b", "c", "d"],
    )  # fmt: skip
    cases = cases_from(events, start=20 * 1_000_000)
    got = [
        (int(u), "abcd"[t], ["abcd"[i] for i in h]) for u, t, h in zip(cases.user, cases.target, cases.histories, strict=True)
    ]
    assert got == [
        (0, "b", ["a"]),
        (0, "c", ["a", "b"]),
        (0, "d", ["a", "b"]),  # what came in the same second was not known before
        (1, "c", []),
    ]
    assert [t.tolist() for t in cases.times] == [[10**7], [10**7, 2 * 10**7], [10**7, 2 * 10**7], []]
    assert len(cases_from(events, start=20 * 1_000_000, end=30 * 1_000_000)) == 2


def test_what_was_met_is_no_question_again() -> None:
    events, _ = tiny([("ann", "a", 10), ("ann", "a", 20), ("ann", "b", 30), ("ann", "b", 40)], ["a", "b"])
    cases = cases_from(events, start=15 * 1_000_000)
    assert cases.target.tolist() == [1]
    assert cases.histories[0].tolist() == [0, 0]


def test_an_item_outside_the_catalogue_is_a_question_that_nobody_can_answer() -> None:
    events, _ = tiny([("ann", "a", 10), ("ann", "new", 20), ("ann", "b", 30)], ["a", "b"])
    cases = cases_from(events, start=15 * 1_000_000)
    assert cases.target.tolist() == [-1, 1]
    assert [h.tolist() for h in cases.histories] == [[0], [0]]


def test_the_parts_meet_at_midnight(walk: Split) -> None:
    start = microseconds(TRAIN_UNTIL - timedelta(days=VALID_DAYS))
    assert walk.fit.time.max() < start
    assert walk.refit.time.max() < microseconds(TRAIN_UNTIL)
    assert len(walk.fit) < len(walk.refit)
    assert len(walk.validation) > 20
    assert len(walk.test) > 20


def changed_future(events: pd.DataFrame, moment: date) -> pd.DataFrame:
    """The same past with another future: other items after ``moment``, and late news of the past that arrives after it."""
    after = events["event_time"] >= microseconds(moment)
    events = events.copy()
    events.loc[after, "item_id"] = "i00"
    late = events[~after].tail(20).assign(arrived_on=moment, event_id=lambda rows: "late" + rows["event_id"], item_id="i39")
    return pd.concat([events, late], ignore_index=True)


def parameters(name: str, part: Split) -> np.ndarray:
    few = {"max_epochs": 1, "width": 8, "max_length": 16} if name == "transformer" else {}
    model = recipe(name)(**few).fit(part.refit, part.catalog, seed=5)
    return model.scores([np.array([], dtype=np.int32), np.array([3]), np.array([3, 5, 8])])


@pytest.mark.parametrize("name", RECIPES)
def test_a_fit_sees_nothing_from_the_future(name: str) -> None:
    events, items = walk_events(), walk_items()
    other = changed_future(events, TRAIN_UNTIL)
    known = split(events, items, TRAIN_UNTIL, VALID_DAYS)
    same = split(other, items, TRAIN_UNTIL, VALID_DAYS)
    assert len(same.test) != len(known.test) or not np.array_equal(same.test.target, known.test.target)
    np.testing.assert_array_equal(parameters(name, known), parameters(name, same))
    np.testing.assert_array_equal(known.validation.target, same.validation.target)
    # And it does see the past: without the last day before, the model is another one.
    earlier = split(events, items, TRAIN_UNTIL - timedelta(days=10), VALID_DAYS)
    assert not np.array_equal(parameters(name, known), parameters(name, earlier))


def test_another_catalogue_is_asked_in_its_own_words() -> None:
    events, catalog = tiny([("ann", "a", 10), ("ann", "b", 20), ("ann", "c", 30)], ["a", "b", "c"])
    cases = cases_from(events, start=25 * 1_000_000)
    other, asked = in_vocabulary(["c", "gone", "a"], catalog, cases)
    assert other.titles == ["Title c", "", "Title a"]
    assert asked.target.tolist() == [0]
    assert asked.histories[0].tolist() == [2]
    assert asked.times[0].tolist() == [10**7]
