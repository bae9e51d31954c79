"""The errors that a person meets: one line that says what, where and what to do.

The exit codes are the contract between a command and whatever runs it: 1 may pass when tried again, 2 and 3 will not.
"""

from typing import ClassVar


class ClickwrightError(Exception):
    """Something failed; trying again may help."""

    exit_code: ClassVar[int] = 1


class ConfigError(ClickwrightError):
    """A setting, a contract, a source mapping or an argument is wrong; trying again will not help."""

    exit_code: ClassVar[int] = 2


class Refused(ClickwrightError):  # noqa: N818 - it says what happened; not every refusal is an error
    """An audit or a gate said no; the published state is as it was."""

    exit_code: ClassVar[int] = 3


class NothingToDo(ClickwrightError):  # noqa: N818
    """There is rightly nothing to do; a scheduler shows the task as skipped."""

    exit_code: ClassVar[int] = 99
