"""The catalogue when its files are gone, cut, or late."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from jobs import items
from schemas.lake.lake import open_lake
from schemas.publishing import publish
from schemas.runtime.errors import NothingToDo, Refused
from tests.jobs.conftest import Deliver
from tests.pipeline import build, check, check_and_publish, run_job, run_jobs_here

pytestmark = pytest.mark.slow
D, NEXT, THIRD = date(1998, 4, 16), date(1998, 4, 17), date(1998, 4, 18)
Items = Callable[..., Path]


@pytest.fixture
def deliver_items(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> Items:
    """Deliver items as {id: title} to the catalogue of a day."""
    run_jobs_here(monkeypatch)

    def write(day: date, titles: dict[int, str], name: str = "full.jsonl.gz") -> Path:
        lines = (json.dumps({"item_id": str(i), "title": title, "categories": ["Any"]}) for i, title in titles.items())
        return deliver(*lines, hour=f"{day}T15", name=name, source="movielens-items")

    return write


def titles(as_of: date) -> dict[str, str]:
    rows = open_lake().arrow("items", f"as_of = '{as_of}'").to_pylist()
    return {row["item_id"]: row["title"] for row in sorted(rows, key=lambda row: int(row["item_id"]))}


def test_catalogue_keeps_the_items_whose_files_are_gone(deliver_items: Items) -> None:
    whole = deliver_items(D, {i: f"Title {i}" for i in range(20)})
    run_job("items", D, "first")
    shutil.rmtree(whole.parent)
    deliver_items(NEXT, {3: "Title 3, second edition", 20: "New"}, name="delta.jsonl.gz")
    run_job("items", NEXT, "second")
    assert titles(NEXT) == {**titles(D), "3": "Title 3, second edition", "20": "New"}
    first_seen = {row["item_id"]: row["first_seen"] for row in open_lake().arrow("items", f"as_of = '{NEXT}'").to_pylist()}
    assert (first_seen["3"], first_seen["4"], first_seen["20"]) == (D, D, NEXT)


def test_published_day_of_a_catalogue_is_not_made_smaller(deliver_items: Items) -> None:
    whole = deliver_items(D, {i: f"Title {i}" for i in range(20)}, name="a.jsonl.gz")
    deliver_items(D, {20: "Title 20"}, name="b.jsonl.gz")
    run_job("items", D, "first")
    whole.unlink()
    run_job("items", D, "again")
    assert len(titles(D)) == 21
    items.main(["--as-of", str(D), "--allow-missing-files", "--run", "accepted"])
    check_and_publish("items", "accepted")
    assert titles(D) == {"20": "Title 20"}


def test_items_are_the_same_whether_old_files_are_there_or_not(deliver_items: Items) -> None:
    old = deliver_items(D, {1: "One", 2: "Two"})
    run_job("items", D, "first")
    deliver_items(NEXT, {2: "Two, again", 3: "Three"})
    run_job("items", NEXT, "with")
    rows = open_lake().arrow("items", f"as_of = '{NEXT}'").sort_by("item_id").to_pylist()
    shutil.rmtree(old.parent)
    run_job("items", NEXT, "without")
    assert open_lake().arrow("items", f"as_of = '{NEXT}'").sort_by("item_id").to_pylist() == rows


def test_cut_catalogue_is_refused(deliver_items: Items) -> None:
    deliver_items(D, {i: f"Title {i}" for i in range(20)})
    run_job("items", D, "first")
    deliver_items(D, {i: f"Title {i}" for i in range(17)})
    with pytest.raises(Refused, match=r"lacks 3 of the 20 items that are known, more than the share .*MAX_CATALOGUE_LOSS"):
        build("items", D, "cut")
    deliver_items(D, {i: f"Title {i}" for i in range(18)})
    run_job("items", D, "corrected")  # a tenth
    assert len(titles(D)) == 18


def test_catalogue_file_that_came_late_is_new_to_the_next_day(deliver_items: Items) -> None:
    deliver_items(D, {1: "One"})
    run_job("items", D, "first")
    with pytest.raises(NothingToDo, match="no catalogue file arrived on 1998-04-17; the previous catalogue still holds"):
        build("items", NEXT, "second")
    deliver_items(D, {2: "Two"}, name="late.jsonl.gz")
    run_job("items", THIRD, "third")
    assert titles(THIRD) == {"1": "One", "2": "Two"}
    with pytest.raises(NothingToDo):
        build("items", THIRD, "again")


def test_day_without_a_file_has_nothing_to_do_although_all_files_are_gone(deliver_items: Items) -> None:
    whole = deliver_items(D, {1: "One"})
    run_job("items", D, "first")
    shutil.rmtree(whole.parent.parent)
    with pytest.raises(NothingToDo):
        build("items", NEXT, "second")


def test_build_of_a_catalogue_that_another_one_overtook_is_refused(deliver_items: Items) -> None:
    deliver_items(D, {1: "One"})
    build("items", D, "slow")
    check("items", "slow")
    deliver_items(D, {2: "Two"}, name="second.jsonl.gz")
    run_job("items", D, "quick")
    with pytest.raises(Refused, match="another build was published since this one began"):
        publish.main(["--job", "items", "--run", "slow"])
    assert titles(D) == {"1": "One", "2": "Two"}
