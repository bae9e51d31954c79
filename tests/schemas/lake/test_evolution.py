"""Schema evolution: compatible changes are applied, breaking changes are refused."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.version import Version

from jobs.exchange.tasks import read_rows
from schemas.contract import SUFFIX, load_contract, parse_contract
from schemas.lake import evolution
from schemas.lake.conform import conformed, spark_rows
from schemas.lake.lake import open_lake
from schemas.lake.schema_changes import main
from schemas.publishing import audit, publish
from schemas.publishing.staging import open_attempt, read_manifest
from schemas.runtime.errors import ConfigError
from tests.schemas.conftest import DAY, Stage
from tests.schemas.contracts import change, contracts, copy_of_contracts

pytestmark = pytest.mark.slow

STRING = {"logicalType": "string", "physicalType": "string"}
LONG = {"logicalType": "integer", "physicalType": "long"}
DEFAULTED = {**STRING, "required": True, "customProperties": [{"property": "default", "value": "web"}]}
NEXT = DAY + timedelta(days=1)
JOB = ["--job", "sessionize", "--run", "r"]


@pytest.fixture
def newer(tmp_path: Path) -> Callable[..., AbstractContextManager[None]]:
    """Code with another contract of ``sessions``: its version and its changed columns."""
    made: list[Path] = []

    def code(version: str, **columns: dict[str, Any] | None) -> AbstractContextManager[None]:
        made.append(copy_of_contracts(tmp_path / f"contracts-{len(made)}"))
        change(made[-1], "sessions", version, **columns)
        return contracts(made[-1])

    return code


def publish_sessions(stage: Stage, n: int, day: date, **values: Any) -> None:
    """Stage sessions and commit them."""
    stage(n, day, **values)
    commit("sessionize", "r", "sessions")


def commit(job: str, run: str, table: str) -> None:
    """Commit staged rows without an audit."""
    manifest = read_manifest(job, run)
    staged = manifest.tables[table]
    files: dict[Any, list[str]] = {date.fromisoformat(value): staged.paths for value in staged.values}
    open_lake().replace(table, staged.field, files, {"run": run, "job": job, "manifest": manifest.digest}, {})


def column(name: str, snapshot: int | None = None) -> list[tuple[date, Any]]:
    rows = open_lake().arrow("sessions", columns=["closed_on", name], snapshot=snapshot).to_pylist()
    return sorted((row["closed_on"], row[name]) for row in rows)


def test_a_new_column_is_null_in_old_rows(stage_sessions: Stage, newer: Any) -> None:
    publish_sessions(stage_sessions, 1, DAY)
    before = open_lake().snapshot("sessions")
    with newer("1.1.0", channel=STRING):
        assert column("channel") == [(DAY, None)]  # newer code reads an older table
        publish_sessions(stage_sessions, 1, NEXT, channel="web")
        assert column("channel") == [(DAY, None), (NEXT, "web")]
        assert column("channel", before) == [(DAY, None)]
        assert sorted(in_polars("channel"), key=str) == [None, "web"]
        assert open_lake().arrow("sessions", "channel = 'web'").num_rows == 1
        with pytest.raises(ConfigError, match=r"does not fit the columns \(Could not find field with name channel"):
            open_lake().arrow("sessions", "channel = 'web'", before)
    assert evolution.version_of(open_lake().table("sessions")) == Version("1.1.0")
    assert open_lake().arrow("sessions").num_rows == 2  # older code reads the newer table
    assert open_lake().arrow("sessions").schema == load_contract("sessions").arrow_schema


def in_polars(name: str) -> list[Any]:
    """A column as read by the jobs' tasks, directly from the files."""
    files = open_lake().files("sessions")
    return pl.concat([rows for path in files for rows in read_rows(path, [name], "sessions")])[name].to_list()


def test_a_new_column_may_have_a_default_for_old_rows(stage_sessions: Stage, newer: Any) -> None:
    publish_sessions(stage_sessions, 1, DAY)
    with newer("1.1.0", channel=DEFAULTED):
        assert column("channel") == [(DAY, "web")]
        publish_sessions(stage_sessions, 1, NEXT, channel="app")
        assert column("channel") == [(DAY, "web"), (NEXT, "app")]
        assert sorted(in_polars("channel")) == ["app", "web"]
        with pytest.raises(ConfigError, match="a filter uses channel, which is only a default in older rows"):
            open_lake().arrow("sessions", "channel = 'web'")


def test_running_an_old_day_again_fills_the_new_column(stage_sessions: Stage, newer: Any) -> None:
    publish_sessions(stage_sessions, 2, DAY)
    with newer("1.1.0", channel=STRING):
        publish_sessions(stage_sessions, 2, DAY, channel="web")
        assert column("channel") == [(DAY, "web"), (DAY, "web")]


def test_an_older_producer_leaves_the_newer_column_null(stage_sessions: Stage, newer: Any) -> None:
    with newer("1.1.0", channel=STRING):
        publish_sessions(stage_sessions, 1, DAY, channel="web")
    publish_sessions(stage_sessions, 0, DAY + timedelta(days=2))
    stage_sessions(1, NEXT)
    audit.main(JOB)
    publish.main(JOB)
    with newer("1.1.0", channel=STRING):
        assert column("channel") == [(DAY, "web"), (NEXT, None)]
    held = open_lake().table("sessions")
    assert str(evolution.version_of(held)) == "1.1.0"
    assert held.current_snapshot().summary["clickwright.contract"] == "1.0.0"  # type: ignore[union-attr, index]


def test_a_type_is_widened_and_older_code_reads_fitting_values(stage_sessions: Stage, newer: Any) -> None:
    publish_sessions(stage_sessions, 1, DAY)
    with newer("1.1.0", n_events=LONG):
        publish_sessions(stage_sessions, 1, NEXT, n_events=5)
        assert open_lake().arrow("sessions", columns=["n_events"]).schema.field("n_events").type == pa.int64()
        assert column("n_events") == [(DAY, 1), (NEXT, 5)]
        assert sorted(in_polars("n_events")) == [1, 5]
    assert column("n_events") == [(DAY, 1), (NEXT, 5)]
    with newer("1.1.0", n_events=LONG):
        publish_sessions(stage_sessions, 1, NEXT, n_events=2**40)
    with pytest.raises(ConfigError, match=r"a value of n_events does not fit into int32 .* widened it: run newer code"):
        column("n_events")


@pytest.mark.parametrize(
    ("version", "columns", "message"),
    [
        (
            "1.1.0",
            {"first_event_id": None, "opening_event_id": STRING},
            r"first_event_id is gone and opening_event_id is new, as in a rename: existing rows would have null .*; "
            r"keep first_event_id, add opening_event_id and let the job fill both",
        ),
        (
            "1.1.0",
            {"n_items": None},
            r"n_items gone: readers of other versions still need it; .*; keep the column and write nulls",
        ),
        (
            "1.1.0",
            {"duration_s": {"physicalType": "int"}},
            r"duration_s retyped \(double to int\): existing files have the old type; .* add a column with another name",
        ),
        ("1.0.0", {"channel": STRING}, "channel added under the same version; .*; raise the contract's minor version"),
        (
            "1.1.0",
            {"channel": {**STRING, "required": True}},
            "channel must not be null, but existing rows lack it; .*; give it a default, or make it optional",
        ),
        ("2.0.0", {}, "table sessions has contract version 1.0.0, but this code has 2.0.0; .* a table with another name"),
        ("0.9.0", {"channel": STRING}, "this code has 0.9.0"),
    ],
)
def test_a_breaking_change_is_refused_with_reason_and_remedy(
    version: str, columns: dict[str, Any], message: str, stage_sessions: Stage, newer: Any
) -> None:
    publish_sessions(stage_sessions, 1, DAY)
    held = open_lake().table("sessions").metadata
    with newer(version, **columns):
        stage_sessions(1, NEXT, **dict.fromkeys(columns.keys() & {"channel"}, "web"))
        with pytest.raises(ConfigError, match=message):
            commit("sessionize", "r", "sessions")
    assert open_lake().table("sessions").metadata == held


def test_narrowing_is_refused(stage_sessions: Stage, newer: Any) -> None:
    with newer("1.1.0", n_events=LONG):
        publish_sessions(stage_sessions, 1, DAY)
    with (
        newer("1.2.0"),
        pytest.raises(ConfigError, match=r"n_events narrowed \(long to int\): existing values may not fit"),
    ):
        publish_sessions(stage_sessions, 1, NEXT)


def test_code_of_another_major_version_cannot_read(stage_sessions: Stage, newer: Any) -> None:
    publish_sessions(stage_sessions, 1, DAY)
    with newer("2.0.0"), pytest.raises(ConfigError, match="run the code of major version 1, or "):
        open_lake().arrow("sessions")


def test_another_partition_is_refused(stage_sessions: Stage, newer: Any) -> None:
    publish_sessions(stage_sessions, 1, DAY)
    parts = {"partitioned": True, "partitionKeyPosition": 2}
    with (
        newer("1.1.0", session_id=parts),
        pytest.raises(ConfigError, match="partition changes from closed_on to closed_on, ses"),
    ):
        publish_sessions(stage_sessions, 1, NEXT)


def test_the_command_lists_the_changes_of_the_next_publish(stage_sessions: Stage, newer: Any) -> None:
    publish_sessions(stage_sessions, 1, DAY)
    with newer("1.1.0", channel=STRING, n_events=LONG):
        told = main([])
    expected = ["n_events widened (int to long)", "channel added"]
    assert told == {"sessions": {"held": "1.0.0", "contract": "1.1.0", "changes": expected}}


def test_a_new_column_of_events_is_added_to_candidates(tmp_path: Path) -> None:
    """``candidate`` in ``rejects`` has the columns of ``events``, also in existing rows."""
    lake = open_lake()
    row = {"arrived_on": DAY, "source": "s", "source_file": "f", "line_number": 1, "element": 0, "candidate": {"event_id": "e"}}
    put("rejects", [row], "arrived_on", DAY)
    folder = copy_of_contracts(tmp_path / "contracts")
    change(folder, "events", "1.1.0", channel=STRING)
    with contracts(folder), pytest.raises(ConfigError, match=r"candidate\.channel added under the same version"):
        put("rejects", [row], "arrived_on", NEXT)
    change(folder, "rejects", "1.2.0")
    with contracts(folder):
        put("rejects", [{**row, "candidate": {"event_id": "e", "channel": "web"}}], "arrived_on", NEXT)
        found = lake.arrow("rejects").sort_by("arrived_on")["candidate"].to_pylist()
        assert [candidate["channel"] for candidate in found] == [None, "web"]
    assert lake.arrow("rejects").schema == load_contract("rejects").arrow_schema


def put(table: str, rows: list[dict[str, Any]], field: str, value: date) -> None:
    """Stage rows of a partition and commit them."""
    with open_attempt("test", "r", {}) as attempt:
        schema = load_contract(table).arrow_schema
        attempt.write_arrow(table, pa.Table.from_pylist([{**r, field: value} for r in rows], schema=schema), (field, [value]))
    commit("test", "r", table)


VISITS = """
apiVersion: v3.1.0
kind: DataContract
id: test.visits
version: 1.0.0
status: active
schema:
  - name: visits
    description: One visit.
    properties:
      - {name: day, physicalType: date, classification: none, partitioned: true, partitionKeyPosition: 1, required: true}
      - {name: visit, physicalType: string, classification: none, primaryKey: true, primaryKeyPosition: 1}
"""
TYPES = ["string", "int", "double", "array<string>", "map<string,double>", "timestamp"]


@given(producers=st.lists(st.integers(0, len(TYPES)), min_size=1, max_size=4), consumer=st.integers(0, len(TYPES)))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_minor_versions_can_read_each_others_rows(
    producers: list[int], consumer: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Version 1.k has the first k columns. Columns that the producer did not know are null for the reader."""
    root = tmp_path_factory.mktemp("versions")
    for minor in range(len(TYPES) + 1):
        (root / f"{minor}").mkdir()
        (root / f"{minor}" / f"visits{SUFFIX}").write_text(VISITS)
        columns = {f"c{i}": {"physicalType": kind} for i, kind in enumerate(TYPES[:minor])}
        change(root / f"{minor}", "visits", f"1.{minor}.0", **columns)
    values = dict(zip([f"c{i}" for i in range(len(TYPES))], ["a", 1, 0.5, ["b"], [("k", 2.0)], None], strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLICKWRIGHT_VAR", str(root / "var"))
        lake = open_lake()
        days = [DAY + timedelta(days=i) for i in range(len(producers))]
        for day, minor in zip(days, producers, strict=True):
            with contracts(root / f"{minor}"):
                put("visits", [{"visit": "v", **{n: values[n] for n in list(values)[:minor]}}], "day", day)
        with contracts(root / f"{consumer}"):
            found = lake.arrow("visits").sort_by("day").to_pylist()
            assert str(evolution.version_of(lake.table("visits"))) == f"1.{max(producers)}.0"
    for row, day, minor in zip(found, days, producers, strict=True):
        written = {n: values[n] if i < minor else None for i, n in enumerate(values) if i < consumer}
        assert row == {"day": day, "visit": "v", **written}


def test_a_default_is_for_required_columns_and_of_their_type() -> None:
    line = (
        "      - {name: n, physicalType: int, classification: none, required: %s, "
        "customProperties: [{property: default, value: %s}]}\n"
    )
    with pytest.raises(ConfigError, match="n has a default but is optional"):
        parse_contract(VISITS + line % ("false", "1"))
    for value in ("many", "[1]", 2**40, 2**70):
        with pytest.raises(ConfigError, match=r"default .* of n is not of type int"):
            parse_contract(VISITS + line % ("true", value))
    assert parse_contract(VISITS + line % ("true", "1")).defaults == {"n": 1}


def test_a_version_has_three_parts() -> None:
    with pytest.raises(ConfigError, match=r"version '1.2' is not MAJOR.MINOR.PATCH; in the contract of visits"):
        parse_contract(VISITS.replace("version: 1.0.0", "version: '1.2'"))


def test_spark_reads_old_and_new_files(stage_sessions: Stage, newer: Any, spark: Any) -> None:
    publish_sessions(stage_sessions, 1, DAY)
    with newer("1.1.0", channel=DEFAULTED, note=STRING, n_events=LONG):
        publish_sessions(stage_sessions, 1, NEXT, channel="app", n_events=2**40, note="n")
        lake, contract = open_lake(), load_contract("sessions")
        in_arrow = lake.arrow("sessions").sort_by("closed_on")
        frame = spark_rows(spark, lake.files("sessions"), contract)
        assert frame.schema.simpleString() == contract.spark_schema.simpleString()
        assert conformed(frame.orderBy("closed_on").toArrow(), contract) == in_arrow
        assert in_arrow["channel"].to_pylist() == ["web", "app"]
        assert in_arrow["n_events"].to_pylist() == [1, 2**40]


def test_concurrent_producers_can_introduce_a_version(stage_sessions: Stage, newer: Any) -> None:
    publish_sessions(stage_sessions, 1, DAY)
    with newer("1.1.0", channel=STRING):
        for i in range(4):
            stage_sessions(1, NEXT + timedelta(days=i), run=f"r{i}", channel="web")
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda i: commit("sessionize", f"r{i}", "sessions"), range(4)))
        assert [value for _, value in column("channel")] == [None, "web", "web", "web", "web"]
    assert len(open_lake().table("sessions").schemas()) == 2
