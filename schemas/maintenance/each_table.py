"""Each table is maintained on its own: the refusal or failure of one does not stop the others, and is reported at the end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.contract import table_names
from schemas.lake.lake import Lake
from schemas.runtime.cli import explain_os_error, log, one_line
from schemas.runtime.errors import ClickwrightError

Work = Callable[[str], dict[str, Any]]


@dataclass
class Maintained:
    """The results by table, and the errors of the tables that were left as they were."""

    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: dict[str, Exception] = field(default_factory=dict)

    def do(self, name: str, work: Callable[[], dict[str, Any]]) -> None:
        """Do the work of one table, or of one task, and keep its result or its error.

        Args:
            name: the table or the task.
            work: does it.
        """
        try:
            self.tables[name] = work()
        except Exception as error:
            log.warning("left as it was", table=name, reason=said(error))
            self.failed[name] = error

    def expect_all(self, kind: str = "tables") -> None:
        """Report the tables that were left as they were.

        Args:
            kind: a word for them.

        Raises:
            ClickwrightError: there are such tables. The error is of their kind; if their kinds differ, a retry may help.
        """
        if not self.failed:
            return
        reasons: dict[str, list[str]] = {}
        for name, error in self.failed.items():
            reasons.setdefault(said(error), []).append(name)
        kinds = {type(error) if isinstance(error, ClickwrightError) else ClickwrightError for error in self.failed.values()}
        as_one = kinds.pop() if len(kinds) == 1 else ClickwrightError
        done = ", ".join(self.tables) or "none"
        causes = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
        raise as_one(
            f"{len(self.failed)} of {len(self.failed) + len(self.tables)} {kind} were left as they were; the others are done "
            f"({done}); {causes}"
        )


def each_table(lake: Lake, names: Sequence[str] | None, work: Work) -> Maintained:
    """Maintain tables one after the other, without those that do not exist yet.

    Args:
        lake: the lake.
        names: the tables; default: all.
        work: maintains one table.
    """
    found = Maintained()
    for name in names or table_names():
        found.do(name, lambda name=name: work(name) if lake.exists(name) else {})  # type: ignore[misc]
    found.tables = {name: result for name, result in found.tables.items() if result}
    return found


def said(error: Exception) -> str:
    """An error as one line."""
    if isinstance(error, OSError):
        return explain_os_error(error)
    return one_line(error) if isinstance(error, ClickwrightError) else f"{type(error).__name__}: {one_line(error)[:500]}"
