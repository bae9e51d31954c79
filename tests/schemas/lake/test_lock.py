"""The lock of a lake: mutual exclusion, and release after a kill."""

import time
from pathlib import Path

import pytest

from schemas.lake.catalog import CatalogBusy
from schemas.lake.lake import open_lake
from schemas.lake.lock import promotion_lock
from schemas.runtime.settings import get_settings
from tests.schemas.processes import start


def hold(held: Path) -> None:
    with promotion_lock(get_settings()):
        held.touch()
        time.sleep(60)


@pytest.mark.slow
def test_a_killed_process_releases_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_lake()
    holder = start(hold, tmp_path / "held")
    while not (tmp_path / "held").exists():
        time.sleep(0.05)
    monkeypatch.setattr("schemas.lake.catalog.BUSY_SECONDS", 0)
    with pytest.raises(CatalogBusy, match="the catalog is busy"), promotion_lock(get_settings()):
        pass
    holder.kill()
    holder.join()
    with promotion_lock(get_settings()):
        pass


def test_the_lock_leaves_the_catalog_unchanged(var: Path) -> None:
    lake = open_lake()
    before = lake.catalog.load_namespace_properties("clickwright")
    with pytest.raises(ValueError, match="in the middle"), promotion_lock(get_settings()):
        raise ValueError("in the middle")
    with promotion_lock(get_settings()):
        pass
    assert lake.catalog.load_namespace_properties("clickwright") == before
