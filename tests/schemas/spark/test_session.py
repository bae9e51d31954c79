"""The Spark session: strangers get no block from its driver, and nobody else reads its files."""

import os
from pathlib import Path
from typing import Any

import pytest

from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import Settings, get_settings
from schemas.spark.session import _protected, scratch
from tests.security.block_thief import steal

pytestmark = pytest.mark.security
SHOWN = b"9f3c51e07ab24d68"  # nothing repeats, so compression leaves it readable


@pytest.mark.slow
def test_a_stranger_gets_no_block_of_a_running_driver(spark: Any) -> None:
    planted = spark.sparkContext.broadcast(SHOWN)
    managers = spark.sparkContext._jsc.sc().getExecutorMemoryStatus().keys().mkString()
    found = steal(int(managers.rpartition(":")[2]), f"broadcast_{planted._jbroadcast.id()}_piece0")
    assert SHOWN not in found
    assert b"LZ4Block" not in found


@pytest.mark.slow
def test_the_driver_asks_for_a_secret_that_no_argument_shows(spark: Any) -> None:
    conf = spark.sparkContext.getConf()
    assert conf.get("spark.authenticate") == "true"
    assert conf.get("spark.ui.enabled") == "false"
    assert conf.get("spark.driver.bindAddress") == "127.0.0.1"
    gateway = spark.sparkContext._gateway.proc
    assert "secret" not in Path(f"/proc/{gateway.pid}/cmdline").read_text()


@pytest.mark.slow
def test_files_between_stages_are_readable_by_their_owner_only(spark: Any) -> None:
    folder = Path(spark.sparkContext.getConf().get("spark.local.dir"))
    assert folder.name == "scratch"
    assert list(folder.glob("blockmgr-*"))
    assert folder.stat().st_mode & 0o077 == 0


def test_a_folder_that_others_could_read_is_closed(var: Path) -> None:
    (var / "spark" / "scratch").mkdir(parents=True)
    os.chmod(var / "spark" / "scratch", 0o777)  # noqa: PTH101
    assert scratch(get_settings()).stat().st_mode & 0o777 == 0o700


class Options:
    """A session's builder that keeps what it is given."""

    def __init__(self, master: str) -> None:
        self._options = {"spark.master": master}

    def config(self, name: str, value: str) -> "Options":
        self._options[name] = value
        return self


@pytest.mark.slow
def test_a_cluster_needs_a_secret_and_encrypts(spark: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"the Spark cluster needs a secret; at spark://head:7077; set CLICKWRIGHT_SPARK_SECRET"
    ):
        _protected(Options("spark://head:7077"), get_settings())
    settings = Settings(spark_secret="shared by all nodes of this cluster")
    told = _protected(Options("spark://head:7077"), settings)._options
    assert told["spark.authenticate.secret"] == "shared by all nodes of this cluster"
    assert [told[name] for name in ("spark.authenticate", "spark.network.crypto.enabled", "spark.io.encryption.enabled")] == [
        "true"
    ] * 3
    assert _protected(Options("yarn"), get_settings())._options["spark.network.crypto.enabled"] == "true"
