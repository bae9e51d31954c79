"""A mutual exclusion lock between all processes and machines that share a lake: a row lock in the catalog's database.

The database releases the row when its holder ends, even after a kill, so no cleanup is needed. On PostgreSQL only other users
of this lock wait. On SQLite, which serves a single machine, every commit to the lake waits as well. Code under the lock must
therefore finish within seconds and must not commit to the lake.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pyiceberg.catalog.sql import IcebergNamespaceProperties as Properties
from sqlalchemy import update

from schemas.lake.catalog import NAMESPACE, open_catalog
from schemas.runtime.settings import Settings


@contextmanager
def promotion_lock(settings: Settings) -> Iterator[None]:
    """Wait for the lock and hold it for the block.

    Raises:
        CatalogBusy: on SQLite, another process held the lock for too long.
        ClickwrightError: the catalog cannot be used.
    """
    catalog = open_catalog(settings)
    # Every namespace has this row. The update sets it to its own value and is rolled back: only its lock matters.
    hold = update(Properties).where(Properties.namespace == NAMESPACE).values(property_value=Properties.property_value)
    try:
        with catalog.engine.connect() as connection:
            connection.execute(hold)
            yield
            connection.rollback()
    finally:
        catalog.engine.dispose()
