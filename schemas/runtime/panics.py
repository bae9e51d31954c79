"""Errors that libraries raise at single values. The panic of a library written in Rust is not an ``Exception``."""

import traceback
from pathlib import Path

from schemas.runtime.errors import ClickwrightError

OF_THE_MACHINE = (OSError, MemoryError, ImportError)
"""Errors that no line causes: a retry may help."""
HERE = Path(__file__).parents[2]


def is_panic(error: BaseException) -> bool:
    """Whether an error is a panic of a library written in Rust; each such library has its own class of that name.

    >>> from polars.exceptions import PanicException
    >>> is_panic(PanicException("out of range")), is_panic(KeyboardInterrupt())
    (True, False)
    """
    return any((kind.__module__, kind.__name__) == ("pyo3_runtime", "PanicException") for kind in type(error).__mro__)


def is_fault(error: BaseException) -> bool:
    """Whether an error may come from a value that a library cannot handle, and not from the machine or the user.

    >>> is_fault(ValueError("odd")), is_fault(OSError(28, "full")), is_fault(KeyboardInterrupt())
    (True, False, False)
    """
    if is_panic(error):
        return True
    return isinstance(error, Exception) and not isinstance(error, (*OF_THE_MACHINE, ClickwrightError))


def raised_at(error: BaseException) -> str:
    """The place in this project's code at which an error was raised, such as ``jobs/clean.py:98``."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(HERE) and "site-packages" not in path.parts:  # an environment may lie in this folder
            return f"{path.relative_to(HERE).as_posix()}:{frame.lineno}"
    return "a library"
