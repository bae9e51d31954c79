"""What all tests share: state of their own, and one Spark session for those that need it."""

import os
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.chromium import of_the_system
from tests.made_once import made_once
from tests.processor_time import pytest_addoption, pytest_configure

__all__ = ["pytest_addoption", "pytest_configure"]

ROOT = Path(__file__).resolve().parents[1]
SHARED = {
    "Spark": re.compile(r"\b(spark|cleaned): |\bEVERY_RECIPE\b"),
    "the living Airflow and MLflow": re.compile(r"\b(live: Services|airflow: AirflowClient)\b"),
}
"""The arguments of tests that share things which take long to make. EVERY_RECIPE has a recipe that Spark fits."""
SPARK, LIVING = SHARED
LIGHT = ("tests/schemas/", "tests/test_")
"""Files whose tests mostly use one core."""


@cache
def shared(file: str) -> str:
    """The thing that a file's tests share with those of others: one worker does all these in order. Without one, the file.

    Args:
        file: the file, from the project's root.
    """
    text = (ROOT / file).read_text() if (ROOT / file).is_file() else ""
    return next((what for what, arguments in SHARED.items() if arguments.search(text)), file)


def turn(item: pytest.Item) -> int:
    """The longest part of one worker comes first. The living Airflow needs a core, so light files are left for beside it."""
    file = item.nodeid.split("::")[0]
    if shared(file) in SHARED:
        return 0 if shared(file) == SPARK else 2
    return 3 if file.startswith(LIGHT) else 1


class ByWhatIsShared(LoadScopeScheduling):
    """Deals the tests to the workers of ``pytest -n``."""

    def _split_scope(self, nodeid: str) -> str:
        return shared(nodeid.split("::")[0])


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import a file all of whose tests have a mark that this run leaves out: imports take longer than most tests."""
    if not collection_path.name.startswith("test_") or config.args == [str(collection_path)]:
        return None
    of_file = re.search(r"^pytestmark = (.*)", collection_path.read_text(), re.MULTILINE)
    marks = set(re.findall(r"pytest\.mark\.(\w+)", of_file[1] if of_file else ""))
    left_out = set(re.findall(r"\bnot (\w+)", config.option.markexpr))
    return True if marks & left_out else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=turn)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # files of many tests would go first, and those of a few long ones would be left
    return ByWhatIsShared(config, log)


@pytest.fixture(autouse=True)
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for all state; no setting of the caller's environment reaches a test."""
    for name in [name for name in os.environ if name.startswith("CLICKWRIGHT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CLICKWRIGHT_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("CLICKWRIGHT_SPARK_CLASS_ARCHIVE", "false")  # takes longer than a test's few jobs gain
    return tmp_path / "var"


@pytest.fixture(autouse=True)
def process_as_before() -> Iterator[None]:
    """A command that a test runs in this process sets the log's stream and the umask; other tests see neither."""
    umask = os.umask(0o022)
    os.umask(umask)
    structlog = sys.modules.get("structlog")
    log = None if structlog is None else structlog.get_config()
    yield
    os.umask(umask)
    if structlog is not None:
        structlog.configure(**log)


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The Spark session of the jobs, as a shell gets it, kept small."""
    from schemas.runtime.settings import Settings
    from schemas.spark.session import spark_session

    settings = Settings(var=tmp_path_factory.mktemp("spark"), spark_shuffle_partitions=2, spark_driver_memory="1g")
    session = spark_session("tests", settings)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def empty_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database, migrated once, since that takes longer than a test."""

    def make(folder: Path) -> None:
        from mlflow import MlflowClient

        MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").search_experiments()

    return made_once(tmp_path_factory, "mlflow", make) / "mlflow.db"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium as this machine has it, or as `make test` has fetched it, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        browser = playwright.chromium.launch(executable_path=of_the_system(), args=arguments)
        yield browser
        browser.close()
