"""The errors that users see. Each is one line of three parts: the problem; its place; the remedy.

Schedulers rely on the exit codes: 1 is retryable, 2, 3 and 4 are not, 99 means skipped.
"""

from typing import ClassVar


class ClickwrightError(Exception):
    """A retryable failure."""

    exit_code: ClassVar[int] = 1


class ConfigError(ClickwrightError):
    """A setting, contract, source mapping or argument is wrong. A retry will not help."""

    exit_code: ClassVar[int] = 2


class Refused(ClickwrightError):  # noqa: N818 - not every refusal is an error
    """An audit or a gate refused a change. The published state is unchanged."""

    exit_code: ClassVar[int] = 3


class NobodyFound(ClickwrightError):  # noqa: N818
    """An erasure is done, but a line of the request found nobody, so its id may be wrong. A retry will not help."""

    exit_code: ClassVar[int] = 4


class NothingToDo(ClickwrightError):  # noqa: N818
    """There is nothing to do, and that is correct. A scheduler marks the task as skipped."""

    exit_code: ClassVar[int] = 99
