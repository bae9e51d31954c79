"""Eight processes publish to shared and separate partitions at once."""

import os
from collections import Counter

import pytest

from tests.faults.concurrent_writers import WRITERS
from tests.faults.runs import driver
from tests.faults.servers import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("seconds", [pytest.param(2, id="short"), pytest.param(60, marks=pytest.mark.faults, id="long")])
def test_no_commit_is_lost_or_duplicated(seconds: int, catalog: Postgres | None, tally: Counter[str]) -> None:
    found = driver("concurrent_writers", "--seconds", seconds, env=os.environ)
    name = "SQLite" if catalog is None else "PostgreSQL"
    tally.update({f"{what} of a flood on {name}": found[what] for what in ("commits", "losers told")})
    assert found["commits"] >= WRITERS
