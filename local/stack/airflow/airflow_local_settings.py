"""What Airflow takes from here instead of its own: how it opens its database. Airflow finds this file by its name.

SQLite takes a savepoint that nothing was written before for a transaction of its own, and releasing it commits. Airflow makes
the runs of a backfill in savepoints: a scheduler beside it would see, and start, half of them, and end with an error when they
are taken back. So a transaction is begun before the first savepoint, as it is on every other database.
"""

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

__all__ = ["create_metadata_engine"]


def create_metadata_engine(sql_alchemy_conn: str, *, engine_args: dict[str, Any], connect_args: dict[str, Any]) -> Engine:
    """As Airflow's own, with savepoints that stay within their transaction."""
    engine = create_engine(sql_alchemy_conn, connect_args=connect_args, **engine_args)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "savepoint", _begin_before)
    return engine


def _begin_before(connection: Connection, name: str) -> None:
    driver: Any = connection.connection.driver_connection
    if not driver.in_transaction:
        # At once and not when first written: waiting for the turn is possible only before anything was read.
        driver.execute("BEGIN IMMEDIATE")
