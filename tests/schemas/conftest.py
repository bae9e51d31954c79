"""Rows of a small table, staged like a job stages them."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from schemas.contract import load_contract
from schemas.publishing.staging import open_attempt

DAY = date(2026, 11, 20)
Stage = Callable[..., pa.Table]


def session_rows(closed_on: date, n: int, first: int = 0, **wrong: Any) -> pa.Table:
    """``n`` sessions of ``n`` users, numbered from ``first``; ``wrong`` replaces a value in every row."""
    start = datetime(closed_on.year, closed_on.month, closed_on.day, 9, tzinfo=UTC)
    row = {
        "closed_on": closed_on,
        "started_at": start,
        "ended_at": start,
        "duration_s": 0.0,
        "n_events": 1,
        "n_items": 1,
        "first_event_id": "e1",
        "last_event_id": "e1",
    }
    rows = [{**row, "session_id": f"{i:032x}", "user_id": f"{i:064x}", **wrong} for i in range(first, first + n)]
    return pa.Table.from_pylist(rows, schema=load_contract("sessions").arrow_schema)


@pytest.fixture
def stage_sessions() -> Stage:
    """Stage ``n`` sessions for a day as job ``sessionize``, run ``r``."""

    def stage(n: int, closed_on: date = DAY, run: str = "r", inputs: dict[str, int] | None = None, **wrong: Any) -> pa.Table:
        rows = session_rows(closed_on, n, **wrong)
        with open_attempt("sessionize", run, inputs or {}) as attempt:
            attempt.write_arrow("sessions", rows, replaces=("closed_on", [closed_on]))
        return rows

    return stage


@pytest.fixture
def now() -> datetime:
    """A time after all actions of a test."""
    return datetime.now(UTC) + timedelta(hours=1)
