"""Taking files out of the lake, with the folders that they leave empty."""

from pathlib import Path

from schemas.lake.storage import STORE, delete, plain
from schemas.runtime.settings import get_settings


def remove(name: str) -> None:
    """Delete a file, and the folders of its attempt that it leaves empty. One that is not there is deleted already."""
    delete(name)
    if name.startswith(STORE):
        return  # has no folders
    path, tables = Path(plain(name)), get_settings().table_files
    for folder in path.parents:
        if tables not in folder.parents or folder.parent == tables:
            return
        try:
            folder.rmdir()
        except OSError:  # it holds something, or is gone
            return
