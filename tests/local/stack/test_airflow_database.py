"""Airflow's metadata database on SQLite: releasing a savepoint does not commit."""

import importlib.util
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from schemas.runtime.settings import ROOT

FILE = ROOT / "local" / "stack" / "airflow" / "airflow_local_settings.py"


def opened(path: Path) -> Engine:
    spec = importlib.util.spec_from_file_location("airflow_local_settings", FILE)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    engine: Engine = module.create_metadata_engine(f"sqlite:///{path}", engine_args={}, connect_args={"timeout": 1})
    return engine


def seen_meanwhile(engine: Engine) -> tuple[int, int]:
    """Rows that another connection sees after a savepoint is released, and after the rollback."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE run (id INTEGER)"))
    with Session(engine) as session:
        with session.begin_nested():
            session.execute(text("INSERT INTO run VALUES (1)"))
        before = rows(engine)
        session.rollback()
    return before, rows(engine)


def rows(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM run")).scalar_one())


def test_rows_in_savepoints_are_invisible_before_the_commit(tmp_path: Path) -> None:
    assert seen_meanwhile(opened(tmp_path / "airflow.db")) == (0, 0)


def test_plain_sqlite_commits_a_released_savepoint(tmp_path: Path) -> None:
    # If this fails, the driver has changed, and airflow_local_settings.py can be removed.
    assert seen_meanwhile(create_engine(f"sqlite:///{tmp_path / 'airflow.db'}")) == (1, 1)


def test_several_savepoints_share_a_transaction(tmp_path: Path) -> None:
    engine = opened(tmp_path / "airflow.db")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE run (id INTEGER)"))
    with Session(engine) as session:
        for number in range(2):
            with session.begin_nested():
                session.execute(text(f"INSERT INTO run VALUES ({number})"))
        session.commit()
    assert rows(engine) == 2
