"""Small logs with a pattern: users walk through the items in order, so that the next item can be learned."""

import hashlib
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ml.data.catalog import ITEM_FIELDS, Catalog
from ml.data.event_log import SCHEMA, Events, cut, everything, gather
from ml.data.interactions import Interactions, microseconds
from ml.data.pinned_data import PinnedData
from ml.data.splits import Split, by_time
from ml.models import RECIPES
from schemas.contract import load_contract
from schemas.lake.lake import Lake, open_lake
from schemas.publishing.staging import open_attempt, read_manifest
from tests.made_once import made_once

TRAIN_UNTIL = date(2024, 3, 1)
FIRST_DAY = date(2024, 1, 1)
VALID_DAYS = 14
N_ITEMS, N_USERS = 40, 120
SMALL: dict[str, dict[str, Any]] = {
    "transformer": {"width": 16, "max_length": 16, "max_epochs": 6, "batch_size": 16, "learning_rate": 1e-2}
}
SMALL["als"] = {"rank": 8, "iterations": 4}
SMALL["hybrid"] = {"members": {"transformer": SMALL["transformer"], "cooccurrence": {}}}
"""Settings of recipes that would otherwise take long."""
ON_SPARK = ("als", "hybrid")
"""Recipes that Spark fits, in whole or in part."""
EVERY_RECIPE = [pytest.param(name, marks=pytest.mark.slow) if name in ON_SPARK else name for name in RECIPES]
"""For tests with an argument ``name``."""


@pytest.fixture(autouse=True)
def spark_for_als(request: pytest.FixtureRequest) -> None:
    """Use the Spark session of all tests, instead of a new one for each fit."""
    if getattr(request.node, "callspec", None) and request.node.callspec.params.get("name") in ON_SPARK:
        request.getfixturevalue("spark")


def pinned(training: str) -> PinnedData:
    """Pinned data for tests in which only the training's name matters."""
    return PinnedData(
        run=training,
        training=training,
        tag=f"train-{training}",
        snapshots={},
        train_until=TRAIN_UNTIL,
        valid_days=VALID_DAYS,
        valid_from=TRAIN_UNTIL - timedelta(days=VALID_DAYS),
        items_as_of=None,
        code_version="0",
        seed=7,
    )


def pseudonym(user: int) -> str:
    return hashlib.sha256(str(user).encode()).hexdigest()


def walk_events(seed: int = 3, last_day: date = date(2024, 3, 7)) -> pd.DataFrame:
    """Every user starts at a random item and goes to the next one or the one after it, a few a day."""
    rng = np.random.default_rng(seed)
    days = (last_day - FIRST_DAY).days
    rows: list[dict[str, Any]] = []
    for user in range(N_USERS):
        item, start = int(rng.integers(N_ITEMS)), int(rng.integers(days))
        for step in range(int(rng.integers(8, 16))):
            day = FIRST_DAY + timedelta(days=start + step // 2)
            if day > last_day:
                break
            rows.append(
                {
                    "user_id": pseudonym(user),
                    "event_id": f"e{user:03d}{step:03d}",
                    "event_time": microseconds(day) + (9 * 3600 + 60 * step) * 1_000_000,
                    "item_id": f"i{item:02d}",
                    "value": float(rng.integers(1, 6)),
                    "arrived_on": day,
                }
            )
            item = (item + int(rng.integers(1, 3))) % N_ITEMS
    return pd.DataFrame(rows)


def walk_items() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "item_id": [f"i{i:02d}" for i in range(N_ITEMS)],
            "title": [f"Title {i}" for i in range(N_ITEMS)],
            "categories": [[f"genre {i // 10}"] for i in range(N_ITEMS)],
            "text": [""] * N_ITEMS,
        }
    )


def catalogue(frame: pd.DataFrame) -> pa.Table:
    """The items of a frame with the columns of ``ml.data.interactions.ITEM_FIELDS``."""
    return pa.Table.from_pandas(frame, ITEM_FIELDS, preserve_index=False)


def gathered(frame: pd.DataFrame) -> Events:
    """The events of a frame with the columns of ``ml.data.event_log.SCHEMA``."""
    columns = [pa.array(frame[name].tolist(), SCHEMA.field(name).type) for name in SCHEMA.names]
    return gather([pa.record_batch(columns, schema=SCHEMA)])


def tiny(
    rows: list[tuple[str, str, int]], items: list[str], *, arrived: dict[int, int] | None = None, same_ids: bool = False
) -> tuple[Interactions, Catalog]:
    """Interactions and catalogue of rows (user, item, second).

    Args:
        arrived: day of arrival of some rows; the others arrive on the day of the event.
        same_ids: whether events of one second share an id.
    """
    catalog = Catalog(items, [f"Title {i}" for i in items], [["any"] for _ in items], ["" for _ in items])
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "second"])
    frame["event_id"] = [f"e{second if same_ids else i:03d}" for i, second in enumerate(frame["second"])]
    frame["event_time"] = frame["second"].astype("int64") * 1_000_000
    days = [(arrived or {}).get(i, second // (24 * 3600)) for i, second in enumerate(frame["second"])]
    frame["arrived_on"] = [date(1970, 1, 1) + timedelta(days=day) for day in days]
    return cut(gathered(frame), everything, catalog), catalog


@pytest.fixture
def walk() -> Split:
    return by_time(gathered(walk_events()), catalogue(walk_items()), TRAIN_UNTIL, VALID_DAYS)


def publish_directly(lake: Lake, table: str, rows: pa.Table, field: str) -> None:
    """Stage rows and commit them without an audit."""
    values = sorted(set(rows[field].to_pylist()))
    run = f"test-{table}-{values[0]}-{values[-1]}"
    with open_attempt("test", run, {}) as attempt:
        attempt.write_arrow(table, rows, (field, values))
    manifest = read_manifest("test", run)
    files: dict[Any, list[str]] = {value: [] for value in values}
    for file in manifest.tables[table].files:
        files[date.fromisoformat(file.value)].append(file.path)
    lake.replace(table, field, files, {"run": run, "job": "test", "manifest": manifest.digest}, {})


def publish_profiles(lake: Lake, as_of: date, users: list[str]) -> None:
    """Profiles of some users, all alike."""
    moment = datetime(2024, 2, 1, tzinfo=UTC)
    row = {"as_of": as_of, "n_events": 1, "first_seen": moment, "last_seen": moment, "recency_days": 1}
    row |= {"active_days": 1, "value_sum": 1.0, "segment": "casual"}
    rows = as_contract("profiles", pd.DataFrame([{**row, "user_id": user} for user in users]))
    publish_directly(lake, "profiles", rows, "as_of")


def as_contract(table: str, frame: pd.DataFrame) -> pa.Table:
    """A frame as an Arrow table of a contract; columns that it lacks are null."""
    schema = load_contract(table).arrow_schema
    columns = [pa.array(frame[f.name].tolist(), f.type) if f.name in frame else pa.nulls(len(frame), f.type) for f in schema]
    return pa.table(columns, schema=schema)


@pytest.fixture
def walk_lake(var: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, empty_mlflow: Path) -> Lake:
    """A real lake with the walk, and MLflow on SQLite."""
    shutil.copy(empty_mlflow, tmp_path / "mlflow.db")
    monkeypatch.setenv("CLICKWRIGHT_MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return publish_walk(open_lake())


def publish_walk(lake: Lake) -> Lake:
    """The walk as tables of a lake."""
    events = walk_events()
    moments = [datetime.fromtimestamp(t / 1e6, UTC) for t in events["event_time"]]
    frame = events.assign(
        closed_on=[m.date() for m in moments],
        session_id=events["event_id"],
        position=0,
        event_type="rating",
        event_time=moments,
        event_date=[m.date() for m in moments],
        source="walk",
    )
    publish_directly(lake, "session_events", as_contract("session_events", frame), "closed_on")
    items = walk_items().assign(as_of=date(2024, 2, 28))
    publish_directly(lake, "items", as_contract("items", items), "as_of")
    return lake


@pytest.fixture(scope="session")
def tiny_language_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained language model with the tokens of the packaged one, which writes a text in a moment."""
    from tests.browser.tiny_language_model import save

    return made_once(tmp_path_factory, "tiny-language-model", save)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The language model as ``python -m ml.prepare_models`` leaves it (half a minute)."""
    from ml.copywriting.smollm2 import FOLDER, prepare

    def make(folder: Path) -> None:
        assert prepare(folder / FOLDER)["made_now"]

    return made_once(tmp_path_factory, "language-model", make) / FOLDER
