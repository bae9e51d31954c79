"""Airflow's local settings: Airflow imports this file by its name and uses its function to open the metadata database.

It also loads the libraries of the tasks into the scheduler.

SQLite treats a savepoint without an open transaction as a transaction, and releasing it commits. Airflow creates the runs of
a backfill in savepoints. A concurrent scheduler would see and start only some of them, and would fail if they were rolled
back. So this module begins a transaction before the first savepoint, as all other databases do.
"""

from importlib import import_module
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

__all__ = ["create_metadata_engine"]

# The scheduler forks a process for each task: libraries that it has loaded, no task has to load.
for _library in ("airflow.providers.apache.spark.operators.spark_submit", "pydantic_settings"):
    import_module(_library)


def create_metadata_engine(sql_alchemy_conn: str, *, engine_args: dict[str, Any], connect_args: dict[str, Any]) -> Engine:
    """Create Airflow's engine, with savepoints that stay within their transaction.

    Args:
        sql_alchemy_conn: the URL of the database.
        engine_args: Airflow's arguments for the engine.
        connect_args: Airflow's arguments for the driver.
    """
    engine = create_engine(sql_alchemy_conn, connect_args=connect_args, **engine_args)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "savepoint", _begin_before)
    return engine


def _begin_before(connection: Connection, name: str) -> None:
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:
        # IMMEDIATE: SQLite can wait for the write lock only before the transaction has read anything.
        driver.execute("BEGIN IMMEDIATE")
