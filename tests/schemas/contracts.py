"""Other versions of contracts: a copy of the project's contracts in a test folder, edited as a developer would."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas import contract
from schemas.contract import CONTRACTS, SUFFIX


@contextmanager
def contracts(folder: Path) -> Iterator[None]:
    """Read all contracts from a folder, as another version of the code would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contract, "CONTRACTS", folder)
        yield


def copy_of_contracts(folder: Path) -> Path:
    shutil.copytree(CONTRACTS, folder)
    return folder


def change(folder: Path, table: str, version: str, **columns: dict[str, Any] | None) -> None:
    """Give a contract another version, and add or change columns.

    Args:
        folder: folder of the contracts.
        table: the table.
        version: the new version.
        columns: properties to set by column; ``None`` removes the column.
    """
    path = folder / f"{table}{SUFFIX}"
    text = yaml.safe_load(path.read_text())
    text["version"] = version
    known = {column["name"]: column for column in text["schema"][0]["properties"]}
    for name, values in columns.items():
        if values is None:
            del known[name]
        else:
            new = {"name": name, "description": "of a later version", "classification": "none"}
            known[name] = {**known.get(name, new), **values}
    text["schema"][0]["properties"] = list(known.values())
    path.write_text(yaml.safe_dump(text, sort_keys=False))
