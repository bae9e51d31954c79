"""The shop of the demonstration: its history in one delivery, its days as they arrive, its planted lines with their places."""

import gzip
import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from local.demo.first_looks import file_with_most_defects
from local.movielens.dataset import FIRST_DAY, HISTORY_ARRIVAL, SHORT_LAST_DAY
from local.movielens.landing_lines import arrival_day, arrives_by
from local.shop import layout
from local.shop.__main__ import main
from local.shop.layout import Shop, arguments, lay_out
from local.stack.commands import run
from schemas.outcomes import Defect, Outcome

pytestmark = pytest.mark.slow  # the simulator takes some seconds


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("simulated")
    run("jobs.simulate", arguments(folder / "landing", folder / "truth", seed=7))
    return lay_out(folder / "landing", folder / "truth")


def lines(shop: Shop) -> dict[tuple[str, int], bytes]:
    return {
        (name, number): line
        for name, content in shop.files.items()
        for number, line in enumerate(gzip.decompress(content).splitlines(), 1)
    }


def test_history_and_catalogue_arrive_in_one_delivery_each(shop: Shop) -> None:
    early = [name for name in shop.files if arrives_by(name, HISTORY_ARRIVAL)]
    assert early == [
        "simulated/arrived=1998-04-16T00/part-000.jsonl.gz",
        "simulated-items/arrived=1998-04-16T00/part-000.jsonl.gz",
    ]
    assert arrival_day(layout.DUMP) == HISTORY_ARRIVAL
    catalogue = gzip.decompress(shop.files[early[1]]).splitlines()
    assert len({json.loads(line)["item"] for line in catalogue}) == layout.ARGUMENTS["--items"]


def test_two_days_show_every_kind_of_behaviour(shop: Shop) -> None:
    spoilt = {(line["file"], line["line"]) for line in shop.planted}
    kinds = Counter(
        json.loads(line)["action"]
        for (name, number), line in lines(shop).items()
        if name.startswith("simulated/") and arrives_by(name, SHORT_LAST_DAY) and not arrives_by(name, HISTORY_ARRIVAL)
        if (name, number) not in spoilt
    )
    assert set(kinds) == {"search", "impression", "click", "view", "cart", "purchase", "like", "comment"}


def test_duplicates_name_the_line_that_they_repeat(shop: Shop) -> None:
    found, seen = lines(shop), Counter[str]()
    for planted in shop.planted:
        line = found[planted["file"], planted["line"]]
        seen[planted["kind"]] += 1
        if planted["expected"] in (Outcome.EXACT_DUPLICATE, Outcome.NEAR_DUPLICATE):
            first = found[planted["original"]["file"], planted["original"]["line"]]
            assert (line == first) == (planted["kind"] == Defect.EXACT_DUPLICATE)
            assert json.loads(line)["item"] == json.loads(first)["item"]
    assert {Defect.EXACT_DUPLICATE, Defect.NEAR_DUPLICATE, Defect.NOT_UTF8, Defect.ID_CONFLICT} <= seen.keys()
    assert Defect.LATE not in seen


def test_short_demonstration_gets_the_same_files_of_its_days(shop: Shop, tmp_path: Path) -> None:
    result: dict[str, Any] = main(["--landing", str(tmp_path / "landing"), "--until", str(SHORT_LAST_DAY), "--seed", "7"])
    written = {path.relative_to(tmp_path / "landing").as_posix(): path for path in (tmp_path / "landing").rglob("*.gz")}
    assert written.keys() == {name for name in shop.files if arrives_by(name, SHORT_LAST_DAY)}
    assert all(path.read_bytes() == shop.files[name] for name, path in written.items())
    record = json.loads((tmp_path / "landing-truth" / "shop.json").read_text())["defects"]
    assert record == [line for line in shop.planted if line["arrived_on"] <= str(SHORT_LAST_DAY)]
    assert result["files_written"] == len(written)
    assert file_with_most_defects(record, FIRST_DAY).startswith("simulated/arrived=1998-04-16T")
    again = main(["--landing", str(tmp_path / "landing"), "--until", str(date(1998, 4, 22)), "--seed", "7"])
    assert again["files_written"] == len(shop.files) - len(written)
