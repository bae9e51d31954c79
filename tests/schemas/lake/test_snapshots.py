"""Tags protect snapshots from expiry, and jobs can read as of a tag."""

import argparse
from datetime import UTC, datetime, timedelta

import pytest

from schemas.lake.commit_history import remember
from schemas.lake.lake import Lake, open_lake
from schemas.lake.snapshots import add_snapshot_option, inputs_for, snapshot_of, tag_snapshots, tags, training_tag
from schemas.runtime.errors import ClickwrightError, ConfigError
from tests.schemas.conftest import DAY, Stage
from tests.schemas.lake.test_evolution import commit

NEXT = DAY + timedelta(days=1)


@pytest.fixture
def lake(stage_sessions: Stage) -> Lake:
    """Three publishes of one day with 1, 2 and 3 sessions; the first is tagged as the input of a training."""
    lake = open_lake()
    for n in (1, 2, 3):
        stage_sessions(n, DAY, run=f"run-{n}")
        commit("sessionize", f"run-{n}", "sessions")
        if n == 1:
            tag_snapshots(lake, training_tag("weekly"), {"sessions": current(lake)})
    return lake


def current(lake: Lake) -> int:
    snapshot = lake.snapshot("sessions")
    assert snapshot is not None
    return snapshot


def expire(lake: Lake) -> None:
    """Expire all unprotected snapshots with PyIceberg."""
    lake.table("sessions").maintenance.expire_snapshots().older_than(datetime.now(UTC) + timedelta(hours=1)).commit()


def test_a_tag_survives_expiry_with_its_rows(lake: Lake) -> None:
    before = {s.snapshot_id for s in lake.table("sessions").snapshots()}
    expire(lake)
    left = {s.snapshot_id for s in lake.table("sessions").snapshots()}
    tagged = snapshot_of(lake, "sessions", "train-weekly")
    assert left == {tagged, current(lake)} < before
    assert lake.arrow("sessions", snapshot=tagged).num_rows == 1
    assert lake.arrow("sessions").num_rows == 3


def test_saved_history_outlives_expiry(lake: Lake) -> None:
    def story() -> list[tuple[str, int, int]]:
        return [(c.run, c.snapshot_id, lake.sequence("sessions", c.snapshot_id)) for c in lake.commits("sessions")]

    told = story()
    assert [run for run, _, _ in told] == ["run-3", "run-2", "run-1"]
    folder, table = lake.history_folder("sessions"), lake.table("sessions")
    assert remember(folder, table) == len(table.snapshots())
    assert remember(folder, table) == 0  # twice changes nothing
    expire(lake)
    assert story() == told
    assert lake.current_commits("sessions", told[1][1])[str(DAY)].run == "run-2"


def test_unsaved_history_ends_at_expired_snapshots(lake: Lake) -> None:
    expire(lake)
    assert [c.run for c in lake.commits("sessions")] == ["run-3"]


def test_a_snapshot_is_found_by_id_or_tag(lake: Lake) -> None:
    assert tags(lake, "sessions") == {"train-weekly": snapshot_of(lake, "sessions", "train-weekly")}
    assert snapshot_of(lake, "sessions", str(current(lake))) == current(lake)
    for unknown in ("train-monthly", "17", "main"):
        with pytest.raises(
            ConfigError, match=rf"no snapshot or tag {unknown}, or it has expired; .* \(known tags: train-weekly\)"
        ):
            snapshot_of(lake, "sessions", unknown)


def test_a_tag_does_not_move(lake: Lake) -> None:
    tagged = snapshot_of(lake, "sessions", "train-weekly")
    tag_snapshots(lake, "train-weekly", {"sessions": tagged})  # the same again
    with pytest.raises(ClickwrightError, match=f"tag train-weekly already names snapshot {tagged}"):
        tag_snapshots(lake, "train-weekly", {"sessions": current(lake)})
    assert snapshot_of(lake, "sessions", "train-weekly") == tagged


def test_a_job_reads_as_of_a_snapshot_or_tag(lake: Lake, stage_sessions: Stage) -> None:
    tagged = snapshot_of(lake, "sessions", "train-weekly")
    assert inputs_for(lake, ["sessions"], given()) == {"sessions": current(lake)}
    assert inputs_for(lake, ["sessions"], given("train-weekly")) == {"sessions": tagged}
    assert inputs_for(lake, ["sessions"], given(f"sessions={tagged}")) == {"sessions": tagged}
    with pytest.raises(ConfigError, match=r"items=1 does not name a table or tag of this job; .* with TABLE one of sessions"):
        inputs_for(lake, ["sessions"], given("items=1"))
    with pytest.raises(ConfigError, match="train-monthly does not name a table or tag of this job"):
        inputs_for(lake, ["sessions"], given("train-monthly"))
    with pytest.raises(ClickwrightError, match=r"table items is empty; .*; run `behaviour_day` for a day first"):
        inputs_for(lake, ["sessions", "items"])


def given(*names: str) -> list[str]:
    parser = argparse.ArgumentParser()
    add_snapshot_option(parser)
    words = [word for name in names for word in ("--as-of-snapshot", name)]
    found: list[str] = parser.parse_args(words).as_of_snapshot
    return found


@pytest.mark.slow
def test_concurrent_tags_and_publishes_are_not_lost(lake: Lake, stage_sessions: Stage) -> None:
    from concurrent.futures import ThreadPoolExecutor

    snapshot = current(lake)
    for i in range(4):
        stage_sessions(1, NEXT + timedelta(days=i), run=f"more-{i}")
    with ThreadPoolExecutor(8) as pool:
        tagging = [pool.submit(tag_snapshots, open_lake(), f"train-{i}", {"sessions": snapshot}) for i in range(4)]
        publishing = [pool.submit(commit, "sessionize", f"more-{i}", "sessions") for i in range(4)]
        for one in [*tagging, *publishing]:
            one.result()
    assert {f"train-{i}" for i in range(4)} < tags(lake, "sessions").keys()
    assert lake.arrow("sessions").num_rows == 7
