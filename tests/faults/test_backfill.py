"""A backfill that is killed, loses its catalog or runs out of disk ends with the rows of an undisturbed one.

Meanwhile a reader must see no partial partition, no duplicate row and no unaudited row. The kills have a short variant; those
with many faults are marked ``faults``. ``tests/schemas/lake/test_catalog.py`` and ``tests/jobs/test_flow.py`` test the error of
one command that finds no catalog, or a full disk.
"""

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults.backfill import ENVIRONMENT
from tests.faults.runs import add, driver
from tests.faults.servers import Postgres
from tests.small_disk import on_small_disk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
SHORT = ["--days", 1, "--events", 200]
LONG = pytest.mark.faults
TIMES = 12
"""Catalogs lost, and full disks."""
SMALL_DISK = "256m"


def survived(found: dict[str, Any]) -> bool:
    return bool(found["equal"]) and found["readings"] > 0 and min(found["rows"][t] for t in ("events", "sessions")) > 0


@pytest.mark.parametrize(("size", "times"), [pytest.param(SHORT, 2, id="short"), pytest.param([], 50, marks=LONG, id="long")])
def test_backfill_survives_kills(size: list[Any], times: int, tally: Counter[str]) -> None:
    found = driver("fault_injection", "kills", *size, "--times", times, env=os.environ | ENVIRONMENT)
    add(tally, found, *(name for name in found if "kills" in name), "commits", "readings")
    assert found["kills"] == times
    assert survived(found)


@pytest.mark.faults
def test_backfill_survives_catalog_loss(catalog: Postgres | None, tally: Counter[str]) -> None:
    server = [] if catalog is None else ["--postgres", catalog.folder, catalog.port]
    found = driver("fault_injection", "catalog", "--times", TIMES, *server, env=os.environ | ENVIRONMENT)
    add(tally, found, "catalogs lost", "commits", "readings", "refused readings")
    assert found["catalogs lost"] == TIMES
    assert survived(found)


@pytest.mark.faults
def test_backfill_survives_a_full_disk(var: Path, tally: Counter[str]) -> None:
    inside = on_small_disk(var, SMALL_DISK)
    found = driver("fault_injection", "disk", "--times", TIMES, env=os.environ | ENVIRONMENT, inside=inside)
    add(tally, found, *(name for name in found if name.startswith("full disks")), "commits", "readings")
    assert found["full disks"] == TIMES
    assert survived(found)
