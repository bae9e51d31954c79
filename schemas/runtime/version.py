"""The version of the running code: the package's version and a digest of its sources, equal on every machine."""

import hashlib
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from schemas.runtime.settings import ROOT

PACKAGES = ("dags", "jobs", "ml", "schemas")
SUFFIXES = {".py", ".yaml"}


@lru_cache(maxsize=1)
def code_version() -> str:
    """``<version>+<12 hex digits>``; the digits are from a SHA-256 over the names and contents of all source files.

    Unlike a Git commit id, the digest also changes with uncommitted edits.
    """
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            if path.suffix in SUFFIXES and "__pycache__" not in path.parts:
                digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    try:
        release = version("clickwright")
    except PackageNotFoundError:
        release = "0"
    return f"{release}+{digest.hexdigest()[:12]}"
