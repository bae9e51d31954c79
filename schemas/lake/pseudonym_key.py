"""The key of the pseudonyms, held against the lake: a lake has one key, and the fingerprint of it lies in the catalog.

With another key, persons would become other persons, and erased persons would come back. So opening a lake compares the key of
the process, if there is one, and a key is only made for a lake without pseudonyms. The first publish writes the fingerprint, as
a property of the namespace: the catalog's database lets one process insert it, also where the files are in an object store.
"""

from pyiceberg.catalog.sql import IcebergNamespaceProperties as Properties
from pyiceberg.catalog.sql import SqlCatalog
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from schemas.contract import load_contract, table_names
from schemas.lake.catalog import NAMESPACE, open_catalog
from schemas.privacy.erasure_requests import pending
from schemas.privacy.personal_data import is_personal
from schemas.privacy.pseudonyms import fingerprint
from schemas.runtime.errors import ConfigError
from schemas.runtime.local_files import private_file
from schemas.runtime.masking import shown
from schemas.runtime.settings import Settings

PROPERTY = "pseudonym-key"


def pseudonym_key(settings: Settings) -> bytes:
    """The key of the pseudonyms. The first call for a lake without pseudonyms makes it; no other function makes a key.

    Raises:
        ConfigError: the key is missing, too short, or not the key of this lake.
    """
    settings.lake_dir.mkdir(parents=True, exist_ok=True)
    catalog = open_catalog(settings)
    try:
        if not settings.has_pseudonym_key:
            _expect_no_pseudonyms(catalog, settings)
            private_file(settings.pseudonym_key_file)
        check_key(catalog, settings)
    finally:
        catalog.engine.dispose()
    return settings.pseudonym_secret()


def own_fingerprint(settings: Settings) -> str | None:
    """The fingerprint of this process's key; None without a key."""
    return fingerprint(settings.pseudonym_secret()) if settings.has_pseudonym_key else None


def check_key(catalog: SqlCatalog, settings: Settings) -> None:
    """Compare the key of this process, if there is one, with that of the lake, if one is known.

    Args:
        catalog: catalog of the lake.
        settings: the settings, with the key.

    Raises:
        ConfigError: they differ, or the key is too short.
    """
    own, known = own_fingerprint(settings), lake_fingerprint(catalog)
    if own is not None and known is not None and own != known:
        raise _another_key(settings)


def lake_fingerprint(catalog: SqlCatalog) -> str | None:
    """The fingerprint of the key that made the lake's pseudonyms; None before the first publish."""
    row = (Properties.catalog_name == catalog.name, Properties.namespace == NAMESPACE, Properties.property_key == PROPERTY)
    with catalog.engine.connect() as connection:
        found = connection.execute(select(Properties.property_value).where(*row)).scalar()
    return None if found is None else str(found)


def expect_key(catalog: SqlCatalog, settings: Settings, staged: str | None) -> None:
    """Before rows with pseudonyms are committed: write the lake's fingerprint if it has none, and compare.

    Args:
        catalog: catalog of the lake.
        settings: the settings.
        staged: fingerprint of the key that the rows were built with; None if their job had no key.

    Raises:
        ConfigError: the rows, this process or the lake have another key.
    """
    own = own_fingerprint(settings)
    made_with = staged or own
    if made_with is None:
        return
    if own not in (None, made_with):
        raise _another_key(settings)
    if lake_fingerprint(catalog) is None:
        row = {"catalog_name": catalog.name, "namespace": NAMESPACE, "property_key": PROPERTY, "property_value": made_with}
        try:
            with catalog.engine.begin() as connection:
                connection.execute(insert(Properties).values(row))
        except IntegrityError:  # another process was first; its key is compared
            pass
    if lake_fingerprint(catalog) != made_with:
        raise _another_key(settings)


def _expect_no_pseudonyms(catalog: SqlCatalog, settings: Settings) -> None:
    tables = [name for name in table_names() if is_personal(load_contract(name)) and catalog.table_exists((NAMESPACE, name))]
    if lake_fingerprint(catalog) or tables or pending(settings) or any(settings.erased.glob("[!.]*")):
        raise ConfigError(
            "the key of the pseudonyms is missing, but the lake holds pseudonyms or erased persons; "
            f"at {settings.pseudonym_key_file}; put the backup of this file back, or set CLICKWRIGHT_PSEUDONYM_KEY: "
            "with a new key, persons would become other persons, and erased persons would come back"
        )


def _another_key(settings: Settings) -> ConfigError:
    where = "CLICKWRIGHT_PSEUDONYM_KEY" if settings.pseudonym_key is not None else str(settings.pseudonym_key_file)
    return ConfigError(
        f"this is not the key that made the pseudonyms of the lake; {where}, for the catalog at "
        f"{shown(settings.catalog)}; put the backup of the key back, or rotate the key as docs/privacy.md says"
    )
