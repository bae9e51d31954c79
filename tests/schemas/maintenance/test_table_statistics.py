"""Statistics of the lake: JSON, a table in the terminal, and a page."""

import pytest

from schemas import maintenance
from schemas.maintenance import table_statistics
from schemas.maintenance.__main__ import main as look_after
from tests.schemas.lakes import DAYS, RAW, stage, write_day


def test_statistics_match_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    for day in DAYS:
        write_day("sessions", day)
    write_day("sessions", DAYS[0], RAW[:1])
    stage("sessions", DAYS[0], run="never published")
    answer = table_statistics.main(["--date", "2026-11-20"])
    figures = answer["tables"]["sessions"]
    shown = {k: figures[k] for k in ("rows", "files", "partitions", "oldest", "newest", "snapshots", "tags", "orphan_files")}
    assert shown == {
        "rows": 7, "files": 3, "partitions": 3, "oldest": "2026-11-18", "newest": "2026-11-20", "snapshots": 5, "tags": 0,
        "orphan_files": 1,
    }  # fmt: skip
    assert figures["kept_bytes"] > figures["bytes"] > 0
    assert "sessions" in capsys.readouterr().err
    page = open(answer["page"]).read()  # noqa: SIM115, PTH123
    assert "<td>sessions</td>" in page
    assert "http" not in page.replace("http-equiv", ""), "the page must not need the network"


def test_one_command_runs_all_maintenance_tasks() -> None:
    write_day("sessions", DAYS[0])
    answer = look_after(["--date", "2026-11-20"])
    assert list(answer) == ["retention", "compact", "expire", "orphans", "statistics", "records"]
    assert answer["statistics"]["tables"]["sessions"]["rows"] == 3
    assert maintenance.__doc__
