"""Recognise a full disk in errors of libraries, most of which do not say so."""

import errno
import os
import re
from collections.abc import Iterator

NUMBERS = frozenset({errno.ENOSPC, errno.EDQUOT})
SIGNS = re.compile(
    "|".join(
        [
            re.escape(os.strerror(errno.ENOSPC)),  # Spark, Arrow, Polars and safetensors wrap it in errors of their own
            "database or disk is full",  # SQLite
            "PytorchStreamWriter failed writing file|iostream error|inline_container",  # torch.save
            r"\d+ requested and \d+ written|Not enough free space to write",  # NumPy
        ]
    )
)
"""Texts of errors that a full disk causes."""


def full_disk(error: BaseException) -> str | None:
    """The place of a full disk, as far as it is known, if that caused an error; else None.

    Args:
        error: the error; those that it follows from are looked at as well.

    >>> full_disk(RuntimeError("basic_ios::clear: iostream error"))
    'the state folder (CLICKWRIGHT_VAR) or the folder of temporary files (TMPDIR)'
    >>> full_disk(OSError(errno.ENOSPC, "No space left on device", "/data")), full_disk(MemoryError())
    ('/data', None)
    """
    for cause in _chain(error):
        if getattr(cause, "errno", None) in NUMBERS or SIGNS.search(str(cause)):
            named = getattr(cause, "filename2", None) or getattr(cause, "filename", None)
            return str(named or "the state folder (CLICKWRIGHT_VAR) or the folder of temporary files (TMPDIR)")
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
