"""The refusal or failure of one table does not stop the maintenance of the others."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from schemas.lake.lake import open_lake
from schemas.maintenance import __main__ as all_tasks
from schemas.maintenance import compact, expire_snapshots, orphan_files, retention, table_statistics
from schemas.maintenance.each_table import Maintained
from schemas.runtime.errors import ClickwrightError, ConfigError, Refused
from tests.schemas.lakes import DAYS, RAW, write_day

pytestmark = pytest.mark.slow

DATE = ["--date", "2026-11-20"]


@pytest.fixture
def sparse() -> None:
    """`conflicts` has rows of two years ago and none since; `rejects` has old and recent rows."""
    write_day("conflicts", date(2024, 1, 1))
    for day in (date(2026, 1, 1), date(2026, 11, 1)):
        write_day("rejects", day)


@pytest.mark.usefixtures("sparse")
def test_retention_goes_on_after_a_table_that_would_become_empty() -> None:
    with pytest.raises(Refused, match=r"1 of 2 tables .*; the others are done \(rejects\); conflicts: all rows") as raised:
        retention.main(DATE)
    assert raised.value.exit_code == 3
    lake = open_lake()
    assert lake.partitions("rejects", "arrived_on") == [date(2026, 11, 1)]
    assert lake.arrow("conflicts").num_rows == len(RAW)
    retention.main([*DATE, "--table", "conflicts", "--allow-empty"])
    assert lake.arrow("conflicts").num_rows == 0


@pytest.mark.usefixtures("sparse")
def test_the_tasks_after_a_refused_one_run_too(var: Path) -> None:
    done = r"1 of 6 tasks .* \(compact, expire, orphans, statistics, records\); retention: 1 of 2 tables"
    with pytest.raises(Refused, match=done):
        all_tasks.main([*DATE, "--keep-days", "2"])
    assert (var / "docs" / "lake.html").exists()
    assert open_lake().partitions("rejects", "arrived_on") == [date(2026, 11, 1)]


def break_table(var: Path, table: str) -> None:
    """Lose the metadata of a table."""
    for path in (var / "lake" / "warehouse").rglob("*.metadata.json"):
        if path.parts[-3] == table:
            path.write_text("{")


@pytest.mark.parametrize(
    ("task", "arguments"),
    [
        (retention.main, []),
        (compact.main, ["--fewest", "2"]),
        (expire_snapshots.main, ["--keep-days", "2"]),
        (orphan_files.main, ["--keep-days", "2"]),
        (table_statistics.main, []),
    ],
)
def test_a_damaged_table_is_named_and_the_others_are_done(
    task: Callable[[list[str]], dict[str, Any]], arguments: list[str], var: Path
) -> None:
    for table in ("events", "rejects", "sessions"):
        write_day(table, DAYS[0])
    break_table(var, "rejects")
    with pytest.raises(ClickwrightError, match=r"1 of .* were left as they were; .*events.*sessions.*; rejects: ") as raised:
        task([*DATE, *arguments])
    assert raised.value.exit_code == 1


def test_the_error_is_of_the_kind_that_all_have() -> None:
    def fail(error: Exception) -> dict[str, Any]:
        raise error

    found = Maintained()
    found.do("a", lambda: fail(Refused("no; a; change it")))
    found.do("b", lambda: fail(Refused("no; a; change it")))
    with pytest.raises(Refused, match=r"2 of 2 tables .*; the others are done \(none\); a, b: no; a; change it"):
        found.expect_all()
    found.do("c", lambda: fail(ConfigError("wrong; there; correct it")))
    with pytest.raises(ClickwrightError) as raised:
        found.expect_all()
    assert raised.value.exit_code == 1
