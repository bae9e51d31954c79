"""The lake's catalog: a SQL database that says, of each table, which metadata is the newest. Opening it, and what can go wrong.

A commit is one row that changes there, so a commit is whole or it is not there. A catalog that does not answer is an error that
may pass, one whose address is no address is a wrong setting, and one that is empty beside a lake that is not was moved away.
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

from schemas.lake.storage import catalog_properties, listing, location
from schemas.runtime.errors import ClickwrightError, ConfigError
from schemas.runtime.settings import Settings, shown

NAMESPACE = "clickwright"
OPEN_ATTEMPTS = 3
BUSY_SECONDS = 30
COMMIT_ATTEMPTS = 12
METADATA = ".metadata.json"
Made = TypeVar("Made")


class CatalogBusy(ClickwrightError):  # noqa: N818 - it says what happened
    """Another process holds the catalog; whoever commits tries again."""


def open_catalog(settings: Settings) -> SqlCatalog:
    """The catalog of the settings; made when there is neither a catalog nor a table.

    Raises:
        ConfigError: its address is none.
        ClickwrightError: it does not answer, or it was lost.
    """
    with _explained(settings.catalog):
        warehouse = location(f"{settings.lake_files}/warehouse")
        properties = {"uri": _address(settings), "warehouse": warehouse, "pool_pre_ping": "true"}
        catalog = _opened({**properties, **catalog_properties(settings)})
        event.listen(catalog.engine, "handle_error", lambda context: _explain(settings.catalog, context))
        _expect_namespace(catalog, settings)
    return catalog


def until_committed(attempt: Callable[[], Made], what: str, then: str) -> Made:
    """Commit, and where another writer was first look at the table again and try once more.

    Args:
        attempt: loads the table anew and commits; what it gives is given back.
        what: for the message, such as ``table events``.
        then: for the message: what to do when other writers won every time.

    Raises:
        ClickwrightError: they did.
    """
    for number in range(COMMIT_ATTEMPTS):
        try:
            return attempt()
        except (CommitFailedException, ValidationException, CatalogBusy):
            # ValidationException: PyIceberg tried again by itself, on the table as the other writer left it.
            time.sleep(random.uniform(0.05, 0.2) * 2 ** min(number, 5))
    raise ClickwrightError(f"{what} could not be committed in {COMMIT_ATTEMPTS} tries; other writers won each time; {then}")


def _address(settings: Settings) -> str:
    """The catalog's address; a busy SQLite is waited for, and its file is made here or not at all.

    SQLite makes a file that is not there whenever it is asked to open it. Such an empty file, and the journal beside it, would
    spoil a catalog that was moved away and is put back.
    """
    url = make_url(settings.catalog)
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith((":", "file:")):
        file = Path(url.database)
        if not file.exists():
            if has_tables(settings):
                raise lost_catalog(settings)
            file.touch()
        url = url.set(database=f"file:{quote(str(file.absolute()))}")
        url = url.update_query_dict({"timeout": str(BUSY_SECONDS), **url.query, "mode": "rw", "uri": "true"})
    return url.render_as_string(hide_password=False)


def has_tables(settings: Settings) -> bool:
    """Whether the lake's folder holds any table, whatever the catalog says."""
    return any(name.endswith(METADATA) for name in listing(f"{settings.lake_files}/warehouse"))


def _opened(properties: dict[str, str]) -> SqlCatalog:
    for _ in range(OPEN_ATTEMPTS - 1):
        with suppress(DBAPIError):  # another process made the tables in this moment
            return SqlCatalog("clickwright", **properties)
    return SqlCatalog("clickwright", **properties)


def _expect_namespace(catalog: SqlCatalog, settings: Settings) -> None:
    """Make the namespace of a new lake, but not of one whose catalog is gone: its tables would seem to be empty."""
    if catalog.namespace_exists(NAMESPACE):
        return
    # Asked again, as another process may have made both meanwhile.
    if has_tables(settings) and not catalog.namespace_exists(NAMESPACE):
        raise lost_catalog(settings)
    with suppress(NamespaceAlreadyExistsError, IntegrityError):  # another process was first
        catalog.create_namespace(NAMESPACE)


def lost_catalog(settings: Settings) -> ClickwrightError:
    """The error for a catalog that knows nothing of the tables that are there."""
    return ClickwrightError(
        f"the catalog is gone or empty though there are tables; at {shown(settings.catalog)}; "
        f"put the catalog of {settings.lake_files} back, or move that folder away to begin anew"
    )


@contextmanager
def _explained(address: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        _fail(address, error.orig)
    except (ArgumentError, ImportError) as error:
        raise ConfigError(
            f"the catalog's address is none ({str(error).splitlines()[0]}); at {shown(address)}; "
            "correct CLICKWRIGHT_CATALOG_URI"
        ) from None


def _explain(address: str, context: ExceptionContext) -> None:
    """Called by SQLAlchemy for every error of the database; what PyIceberg waits for goes on as it is."""
    error = context.sqlalchemy_exception
    if not context.is_pre_ping and isinstance(error, DBAPIError) and not isinstance(error, IntegrityError):
        _fail(address, error.orig)


def _fail(address: str, error: BaseException | None) -> NoReturn:
    said = next(iter(str(error).strip().splitlines()), "it does not answer")
    if "locked" in said.lower():
        raise CatalogBusy(f"the catalog is busy ({said}); at {shown(address)}; run the same command again") from None
    raise ClickwrightError(
        f"the catalog cannot be used ({said}); at {shown(address)}; start it, put it back or free its disk, "
        "then run the same command again: nothing half-made was published"
    ) from None
