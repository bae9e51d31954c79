"""The lake's catalog: a SQL database that holds, for each table, the location of the newest metadata.

A commit changes one row of this database, so commits are atomic. If the catalog does not answer, the error is retryable. If its
URI is invalid, that is a configuration error. If it is empty but the lake holds tables, the catalog was moved or lost.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import quote

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, NamespaceAlreadyExistsError, ValidationException
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from schemas.lake.file_io import NamedFileIO
from schemas.lake.storage import catalog_properties, listing, location
from schemas.runtime.errors import ClickwrightError, ConfigError
from schemas.runtime.masking import shown, without_parts
from schemas.runtime.settings import Settings

NAMESPACE = "clickwright"
FILE_IO = f"{NamedFileIO.__module__}.{NamedFileIO.__name__}"
OPEN_ATTEMPTS = 3
BUSY_SECONDS = 30
COMMIT_ATTEMPTS = 12
METADATA = ".metadata.json"
Made = TypeVar("Made")


class CatalogBusy(ClickwrightError):  # noqa: N818 - the name of a condition
    """Another process has locked the catalog. Commits are retried."""


def open_catalog(settings: Settings) -> SqlCatalog:
    """Open the catalog of the settings; create it if there is neither a catalog nor a table.

    Raises:
        ConfigError: the catalog's URI is invalid.
        ClickwrightError: the catalog does not answer, or was lost.
    """
    with _explained(settings.catalog):
        warehouse = location(f"{settings.lake_files}/warehouse")
        properties = {"uri": _address(settings), "warehouse": warehouse, "pool_pre_ping": "true", "py-io-impl": FILE_IO}
        catalog = _opened({**properties, **catalog_properties(settings)})
        event.listen(catalog.engine, "handle_error", lambda context: _explain(settings.catalog, context))
        _expect_namespace(catalog, settings)
    return catalog


def commit_with_retry(attempt: Callable[[], Made], what: str, then: str) -> Made:
    """Commit, and retry with a fresh view of the table if another writer was first.

    Args:
        attempt: loads the table and commits; its result is returned.
        what: the object of the commit, for the error message, such as ``table events``.
        then: the remedy, for the error message, if other writers win every time.

    Raises:
        ClickwrightError: other writers won every time.

    >>> commit_with_retry(lambda: "committed", "table events", "run this again")
    'committed'
    """
    for number in range(COMMIT_ATTEMPTS):
        try:
            return attempt()
        except (CommitFailedException, ValidationException, CatalogBusy):
            # ValidationException: PyIceberg itself retried, on the table that the other writer had changed.
            time.sleep(random.uniform(0.05, 0.2) * 2 ** min(number, 5))
    raise ClickwrightError(
        f"{what} could not be committed in {COMMIT_ATTEMPTS} tries; other writers were first each time; {then}"
    )


def _address(settings: Settings) -> str:
    """The catalog's SQLAlchemy URI. For SQLite it sets a timeout, and only this function creates the database file.

    By default SQLite creates a missing file whenever it opens it. The empty file and its journal would damage a catalog that
    was moved away and is put back.
    """
    url = make_url(settings.catalog)
    own = settings.catalog_uri is None
    if own or (url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":", "file:"))):
        file = settings.lake_dir / "catalog.db" if own else Path(str(url.database))
        if not file.exists():
            if has_tables(settings):
                raise lost_catalog(settings)
            file.touch()
        url = url.set(database=f"file:{quote(str(file.absolute()))}")
        url = url.update_query_dict({"timeout": str(BUSY_SECONDS), **url.query, "mode": "rw", "uri": "true"})
    return url.render_as_string(hide_password=False)


def has_tables(settings: Settings) -> bool:
    """Whether the lake's folder holds any table, independent of the catalog."""
    return any(name.endswith(METADATA) for name in listing(f"{settings.lake_files}/warehouse"))


def _opened(properties: dict[str, str]) -> SqlCatalog:
    for _ in range(OPEN_ATTEMPTS - 1):
        with suppress(DBAPIError):  # another process created the database tables at the same moment
            return SqlCatalog("clickwright", **properties)
    return SqlCatalog("clickwright", **properties)


def _expect_namespace(catalog: SqlCatalog, settings: Settings) -> None:
    """Create the namespace of a new lake, but not of a lake whose catalog is lost: its tables would appear empty."""
    if catalog.namespace_exists(NAMESPACE):
        return
    # Checked again: another process may have created both in the meantime.
    if has_tables(settings) and not catalog.namespace_exists(NAMESPACE):
        raise lost_catalog(settings)
    with suppress(NamespaceAlreadyExistsError, IntegrityError):  # another process was first
        catalog.create_namespace(NAMESPACE)


def lost_catalog(settings: Settings) -> ClickwrightError:
    """The error for a catalog that is empty although the lake holds tables."""
    return ClickwrightError(
        f"the catalog is missing or empty, but the lake holds tables; at {shown(settings.catalog)}; "
        f"put the catalog of {settings.lake_files} back, or move that folder away to start with an empty lake"
    )


@contextmanager
def _explained(address: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        _fail(address, error.orig)
    except (ArgumentError, ImportError) as error:
        said = without_parts(str(error).splitlines()[0], address)
        raise ConfigError(
            f"the catalog URI is invalid ({said}); at {shown(address)}; correct CLICKWRIGHT_CATALOG_URI"
        ) from None


def _explain(address: str, context: ExceptionContext) -> None:
    """SQLAlchemy calls this for every database error. Errors that PyIceberg handles itself pass unchanged."""
    error = context.sqlalchemy_exception
    if not context.is_pre_ping and isinstance(error, DBAPIError) and not isinstance(error, IntegrityError):
        _fail(address, error.orig)


def _fail(address: str, error: BaseException | None) -> NoReturn:
    said = without_parts(next(iter(str(error).strip().splitlines()), "it does not answer"), address)
    if "locked" in said.lower():
        raise CatalogBusy(f"the catalog is busy ({said}); at {shown(address)}; run the same command again") from None
    raise ClickwrightError(
        f"the catalog cannot be used ({said}); at {shown(address)}; start it, put it back or free disk space, "
        "then run the same command again: nothing was partly published"
    ) from None
