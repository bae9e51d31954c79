"""Lineage from recommendations to landing lines, in a lake that the real jobs made from three tiny days."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from schemas.contract import table_names
from schemas.lake.commit_history import remember
from schemas.lake.lake import Lake, open_lake
from schemas.lake.pseudonym_key import pseudonym_key
from schemas.lake.snapshots import snapshot_of, tags
from schemas.lineage import walk
from schemas.lineage.__main__ import main
from schemas.lineage.tree import as_tree
from schemas.lineage.walk import Node
from schemas.privacy.pseudonyms import pseudonym
from schemas.publishing.staging import open_attempt
from schemas.runtime.errors import ClickwrightError, ConfigError
from schemas.runtime.settings import get_settings
from schemas.source import load_source
from tests.jobs.conftest import line
from tests.pipeline import check_and_publish, exchange_here, run_jobs_here

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
DAYS = [date(1998, 4, day) for day in (15, 16, 17)]
TRAIN_UNTIL, SERVED_ON = DAYS[2], DAYS[2] + timedelta(days=1)
ANN, BOB = "ann-0001@shop.example", "bob-0002@shop.example"
Place = tuple[str, int]


def visit(user: str, item: int, day: date, hour: int) -> str:
    time = f"{day}T{hour:02d}:00:00Z"
    return line(event_id=f"{user[:3]}-{day.day}-{hour}-{item}", user=user, item=str(item), time=time)


LINES = {
    f"movielens/arrived={day}T15/part-{part}.jsonl.gz": lines
    for day in DAYS
    for part, lines in {
        "a": [visit(ANN, day.day, day, 9), "no JSON", visit(BOB, day.day, day, 9), visit(ANN, day.day + 1, day, 14)],
        "b": [visit(BOB, day.day + 2, day, 14), visit(ANN, day.day + 3, day, 9)],
    }.items()
}
ITEMS = "movielens-items/arrived=1998-04-15T03/items.jsonl.gz"


def lines_of(user: str, before: date = SERVED_ON) -> set[Place]:
    """The landing lines of a user's events before a day."""
    days = [day for day in DAYS if day < before]
    of_days = {name: lines for name, lines in LINES.items() if any(f"={day}T" in name for day in days)}
    return {(name, number) for name, lines in of_days.items() for number, text in enumerate(lines, 1) if user in text}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder after all jobs ran and published; the exchange runs in this process, without Spark."""
    from ml import pin, recommend, register_challenger, train

    root = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKWRIGHT_VAR", str(root))
        patch.setenv("CLICKWRIGHT_MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlflow.db'}")
        land(root)
        for day in DAYS:
            clean_day(day)
        items_and_sessions()
        pin.main(["--run", "weekly", "--train-until", str(TRAIN_UNTIL), "--valid-days", "1"])
        train.main(["--run", "weekly", "--recipes", "popularity"])
        version = register_challenger.main(["--run", "weekly"])["version"]
        crown(version)
        recommend.main(["--served-on", str(SERVED_ON), "--run", "served"])
        check_and_publish("recommend", "served")
        yield root


def land(root: Path) -> None:
    items = [json.dumps({"item_id": str(i), "title": f"Title {i}", "categories": ["Any"]}) for i in range(10, 25)]
    for name, lines in {**LINES, ITEMS: items}.items():
        path = root / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode(), mtime=0))


def clean_day(day: date) -> None:
    from jobs import clean

    with pytest.MonkeyPatch.context() as patch, open_attempt("clean", f"day-{day}", inputs={}) as attempt:
        run_jobs_here(patch)
        known = [load_source("movielens")]
        clean.clean(None, attempt, open_lake(), day, False, known, get_settings())  # type: ignore[arg-type]
    check_and_publish("clean", f"day-{day}")


def items_and_sessions() -> None:
    from jobs import items
    from jobs.profiles import stage_profiles
    from jobs.sessionize import stage_sessions

    lake = open_lake()
    with pytest.MonkeyPatch.context() as patch, open_attempt("items", "catalogue", inputs={}) as attempt:
        run_jobs_here(patch)
        items.build_items(None, attempt, lake, DAYS[0], items.expect_catalogue(lake, DAYS[0]))  # type: ignore[arg-type]
    check_and_publish("items", "catalogue")
    events = lake.snapshot("events")
    with open_attempt("sessionize", "three days", {"events": int(events or 0)}) as attempt:
        stage_sessions(exchange_here, attempt, lake, events, DAYS)
    check_and_publish("sessionize", "three days")
    inputs = {"events": int(events or 0), "items": int(lake.snapshot("items") or 0)}
    with open_attempt("profiles", "as of the last", inputs) as attempt:
        stage_profiles(exchange_here, attempt, lake, DAYS[-1])
    check_and_publish("profiles", "as of the last")


def crown(version: str) -> None:
    """Make a version the champion, although the gate would not promote popularity."""
    from ml.promote import promote

    promote(number=version, accept=True)


@pytest.fixture
def lake(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("CLICKWRIGHT_VAR", str(made))
    return open_lake()


def who(user: str) -> str:
    return pseudonym(pseudonym_key(get_settings()), user)


def places(node: Node) -> set[Place]:
    return {(file.name, number) for file in node.of_kind("file") for number in file.facts.get("lines", ())}


def below(node: Node, name: str) -> Node:
    """The only child with a name; commit nodes are skipped."""
    (found,) = [
        n for child in node.made_from for n in ([child] if child.kind != "commit" else child.made_from) if n.name == name
    ]
    return found


def test_a_recommendation_leads_to_all_its_landing_lines(lake: Lake) -> None:
    found = walk.lineage(lake, "recommendations", str(SERVED_ON), who(ANN))
    assert found.facts["count"] == len(found.facts["shown"]) > 0
    assert places(below(found, "session_events")) == lines_of(ANN)
    assert places(below(found, "profiles")) >= lines_of(ANN)
    assert {name for name, _ in places(below(found, "items"))} == {ITEMS}
    assert len(list(below(found, "session_events").of_kind("session"))) == 6  # 9:00 and 14:00 of each day


def test_a_recommendation_leads_to_its_model_and_training_data(lake: Lake) -> None:
    model = below(walk.lineage(lake, "recommendations", str(SERVED_ON), who(BOB)), "recommender version 1")
    assert (model.facts["recipe"], model.facts["training"], model.facts["train_until"]) == (
        "popularity",
        "weekly",
        str(TRAIN_UNTIL),
    )
    assert model.facts["snapshots"] == {t: snapshot_of(lake, t, "train-weekly") for t in ("session_events", "items")}
    assert places(below(model, "session_events")) == lines_of(BOB, before=TRAIN_UNTIL)


def test_landing_files_have_size_and_digest(lake: Lake, made: Path) -> None:
    found = walk.lineage(lake, "sessions", str(DAYS[1]), who(BOB))
    files = {file.name: file.facts for file in found.of_kind("file")}
    assert places(found) == lines_of(BOB) & {(name, n) for name in LINES for n in range(9) if f"={DAYS[1]}" in name}
    for name, facts in files.items():
        content = (made / "landing" / name).read_bytes()
        assert (facts["bytes"], facts["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("table", ["events", "sessions", "session_events", "profiles"])
def test_each_table_leads_to_a_users_lines(table: str, lake: Lake) -> None:
    found = walk.lineage(lake, table, str(DAYS[2]), who(ANN))
    of_day = {place for place in lines_of(ANN) if f"={DAYS[2]}" in place[0]}
    assert {place for place in places(found) if place[0] != ITEMS} == (lines_of(ANN) if table == "profiles" else of_day)


def test_tables_without_users_lead_to_lines(lake: Lake) -> None:
    assert places(walk.lineage(lake, "items", str(DAYS[0]))) == {(ITEMS, number) for number in range(1, 16)}
    broken = {(name, number) for name, lines in LINES.items() for number, text in enumerate(lines, 1) if text == "no JSON"}
    assert places(walk.lineage(lake, "rejects", str(DAYS[0]))) == {place for place in broken if f"={DAYS[0]}" in place[0]}
    assert walk.lineage(lake, "landing_files", str(DAYS[0])).facts["count"] == 2
    with pytest.raises(ConfigError, match="table items has no user_id; in its contract; leave --user out"):
        walk.lineage(lake, "items", str(DAYS[0]), who(ANN))


def test_each_commit_records_run_code_and_input_snapshots(lake: Lake) -> None:
    commits = {name: lake.commits(name) for name in table_names() if lake.exists(name)}
    assert commits.keys() == set(table_names()) - {"creatives"}
    for commit in [commit for of_table in commits.values() for commit in of_table]:
        assert commit.run
        assert commit.job
        assert commit.code_version.count("+") == 1
        assert all(lake.table(name).snapshot_by_id(snapshot) for name, snapshot in commit.inputs.items())
        assert commit.notes.get("reads", {}).keys() <= commit.inputs.keys()
    assert {name for name in commits if not commits[name][0].inputs} == {"events", "items", "landing_files", "rejects"}


def test_the_command_prints_a_tree_or_json_without_raw_ids(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["recommendations", "--partition", str(SERVED_ON), "--user"]
    assert main([*arguments, ANN])["landing_files"] == 7
    tree = capsys.readouterr().out
    assert "model recommender version 1: popularity, fitted on data before 1998-04-17, training weekly" in tree
    assert "movielens/arrived=1998-04-15T15/part-a.jsonl.gz (" in tree
    assert "lines 1, 4" in tree
    in_json = json.dumps(main([*arguments, who(ANN), "--json"]), default=str)
    assert json.loads(in_json) == json.loads(json.dumps(main([*arguments, ANN, "--json"]), default=str))
    assert not capsys.readouterr().out
    assert "@shop.example" not in tree + in_json


def test_a_user_without_rows_is_an_error(lake: Lake) -> None:
    with pytest.raises(
        ClickwrightError, match=r"no rows of this user with served_on 1998-04-18; .*: choose another partition"
    ) as told:
        main(["recommendations", "--partition", str(SERVED_ON), "--user", "eve-0003@shop.example"])
    assert "eve" not in str(told.value)
    with pytest.raises(
        ClickwrightError, match="no rows with closed_on 2001-01-01; in table sessions; it holds 1998-04-15 to 1998-"
    ):
        walk.lineage(lake, "sessions", "2001-01-01")


def test_a_training_can_be_pinned_like_another(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    from ml import pin

    arguments = ["--train-until", str(TRAIN_UNTIL), "--valid-days", "1", "--as-of-snapshot", "train-weekly"]
    again = pin.main(["--run", "again", *arguments])
    assert again["snapshots"] == pin.read_pin("weekly").snapshots
    assert {"train-weekly", "train-again"} <= tags(lake, "items").keys()
    # A run that was killed after tagging and before writing its pin sees the same snapshots.
    shutil.rmtree(pin.training_folder("again"))
    assert pin.main(["--run", "again", *arguments[:4]])["snapshots"] == again["snapshots"]
    with pytest.raises(ConfigError, match="train-monthly does not name a table or tag of this job"):
        pin.main(["--run", "third", *arguments[:4], "--as-of-snapshot", "train-monthly"])


def test_the_tree_shows_unknown_commits(lake: Lake) -> None:
    rows = {"kind": "rows", "name": "events", "snapshot": 1, "expired": True, "count": 1, "made_from": []}
    lost = {"kind": "commit", "name": "not known any more", "partitions": {"arrived_on": ["1998-04-15"]}, "made_from": []}
    console = Console(record=True, width=200)
    console.print(as_tree({**rows, "made_from": [lost]}))
    first, second = console.export_text().splitlines()
    assert first == "events: 1 row at snapshot 1 (expired: current rows shown)"
    assert second.endswith("arrived_on 1998-04-15: the commit is not known any more")


def test_lineage_outlives_expiry(lake: Lake) -> None:
    """Publish a day again and expire untagged snapshots; the lineage is unchanged. It runs last, as it removes snapshots."""
    clean_day(DAYS[0])
    before = walk.lineage(lake, "recommendations", str(SERVED_ON), who(ANN))
    for table in table_names():
        if lake.exists(table):
            remember(lake.history_folder(table), lake.table(table))
            later = datetime.now(UTC) + timedelta(hours=1)
            lake.table(table).maintenance.expire_snapshots().older_than(later).commit()
    after = walk.lineage(lake, "recommendations", str(SERVED_ON), who(ANN))
    assert places(after) == places(before)
    assert [node.facts["run"] for node in after.of_kind("commit")] == [node.facts["run"] for node in before.of_kind("commit")]
    expired = {node.name for node in after.of_kind("rows") if node.facts.get("expired")}
    assert expired == {"events"}
    assert lake.arrow("items", snapshot=snapshot_of(lake, "items", "train-weekly")).num_rows == 15
