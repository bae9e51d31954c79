"""The click probabilities in the truth agree with the clicks; without interests they are the same for all users."""

from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from jobs.simulate.behaviour import CellDay, Kind, cell_day
from jobs.simulate.click_probabilities import choices_table
from jobs.simulate.world import K
from schemas.runtime.errors import ConfigError
from tests.jobs.simulated import FIRST_DAY, read, simulate, truth, world

FOUR_ERRORS = 4.0
SMALL = {"users": 100, "events": 20_000, "items": 300}
CLEAN = {"format": "parquet", "dirt": None, "late": None}


@pytest.fixture(scope="module")
def lived() -> tuple[CellDay, np.ndarray]:
    """A day, and the expected clicks in a request of each user who came, ``[users, items]``."""
    of = world(**SMALL)
    cell = cell_day(of, 3, 0)
    return cell, np.stack(choices_table(of, 3, cell)["clicks"].to_numpy())


@pytest.mark.slow
def test_expected_clicks_match_the_clicks(lived: tuple[CellDay, np.ndarray]) -> None:
    cell, expected = lived
    rows = np.unique(cell.sessions.row)
    requests = np.bincount(cell.sessions.row[cell.requests.session[cell.kept]], minlength=len(cell.people.number))[rows]
    for topic in range(K):
        clicks = (cell.events.item[cell.events.kind == Kind.CLICK] % K == topic).sum()
        planted = (requests[:, None] * expected)[:, topic::K].sum()
        assert abs(clicks - planted) < FOUR_ERRORS * sqrt(planted), topic


def test_expected_clicks_follow_each_users_interest(lived: tuple[CellDay, np.ndarray]) -> None:
    cell, expected = lived
    interest = cell.people.interest_on(3)[np.unique(cell.sessions.row)]
    of_topic = np.stack([expected[:, topic::K].sum(1) for topic in range(K)], axis=1)
    agree = [np.corrcoef(interest[:, topic], np.log(of_topic[:, topic]))[0, 1] for topic in range(K)]
    assert min(agree) > 0.6


@pytest.mark.slow
def test_without_interests_all_users_have_the_same_choices() -> None:
    of = world(**SMALL, interests=False)
    cell = cell_day(of, 3, 0)
    assert not cell.people.interest_on(3).any()
    expected = np.stack(choices_table(of, 3, cell)["clicks"].to_numpy())
    share = np.stack([expected[:, topic::K].sum(1) for topic in range(K)], axis=1) / expected.sum(1, keepdims=True)
    assert share.std(axis=0).max() < 0.015  # the sampling error of some thousand requests


@pytest.mark.slow
def test_choices_of_the_last_days_in_the_order_of_items(tmp_path: Path) -> None:
    simulate(tmp_path, **CLEAN, events=3000, choice_days=2)
    choices = read(tmp_path / "truth" / "choices")
    assert {(day - FIRST_DAY).days for day in choices["day"].to_pylist()} == {2, 3}
    assert choices.num_rows < 2 * 150
    of_item = np.stack(choices.filter([(day - FIRST_DAY).days == 2 for day in choices["day"].to_pylist()])["clicks"].to_numpy())
    items = truth(tmp_path, "items")
    assert of_item.shape[1] == len(items)
    to_come = [(item["first_day"] - FIRST_DAY).days > 2 for item in items]
    assert not of_item[:, to_come].any()
    assert of_item[:, :20].all(axis=1).mean() > 0.5  # the most popular come first


def test_too_many_choice_days_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choices of 5 days cannot be written; with --days 4"):
        simulate(tmp_path, **CLEAN, choice_days=5)
    with pytest.raises(ConfigError, match="--truth none; leave --choice-days out"):
        simulate(tmp_path, **CLEAN, choice_days=1, truth="none")
