"""One at a time, between all processes and machines that share a lake: a row of the catalog's database is held meanwhile.

The database gives the row back when its holder ends, however it ends, so nothing has to be cleaned up after a kill. On
PostgreSQL nobody waits but the others who ask for the lock. On SQLite, which one machine has to itself, every commit to the
lake waits too; so what is done under the lock takes seconds at the most, and commits nothing to the lake.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pyiceberg.catalog.sql import IcebergNamespaceProperties as Properties
from sqlalchemy import update

from schemas.lake.catalog import NAMESPACE, open_catalog
from schemas.runtime.settings import Settings


@contextmanager
def one_at_a_time(settings: Settings) -> Iterator[None]:
    """Wait for whoever holds the lock, then hold it.

    Raises:
        CatalogBusy: on SQLite, another process held it for too long.
        ClickwrightError: the catalog cannot be used.
    """
    catalog = open_catalog(settings)
    # Every namespace has this row. It is set to what it is, and taken back: only its lock is wanted.
    hold = update(Properties).where(Properties.namespace == NAMESPACE).values(property_value=Properties.property_value)
    try:
        with catalog.engine.connect() as connection:
            connection.execute(hold)
            yield
            connection.rollback()
    finally:
        catalog.engine.dispose()
