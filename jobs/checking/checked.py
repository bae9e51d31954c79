"""The findings of a check in the lines of a file: counts by outcome, examples, and the raw texts that tell the causes."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from jobs.cleaning.stages import is_set_aside
from jobs.landing.readers.frames import ELEMENT
from schemas.contract import Contract
from schemas.privacy.pseudonyms import shortened

EXAMPLES = 5
PLACE = ["line_number", ELEMENT]
"""The columns that tell records apart."""
MOST_LINES = 1_000_000
LONGEST_EXAMPLE = 400
MOST_TEXTS = 200
"""Different raw texts of a column, or of a problem, that are kept to find the cause of rejects."""


@dataclass
class Checked:
    """The outcomes of the lines of a file: counts by outcome (for a reject: by reason), and examples as (line, text)."""

    table: str = "events"
    """The table that the lines are read for: ``events``, or ``items`` for a file of the catalogue."""
    lines: int = 0
    records: int = 0
    """Candidates: a line may have several, one for each element of a list."""
    left_out: int = 0
    """Elements of lists of events that the mapping does not read."""
    changed: Counter[str] = field(default_factory=Counter)
    """Texts that lost something: ``redacted.<kind>`` for personal data, ``cut.<column>`` for a text that was too long."""
    rejects: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    complete: bool = True
    filled: Counter[str] = field(default_factory=Counter)
    """For each field that the mapping reads, how many records have a value there."""
    causes: dict[str, Counter[str]] = field(default_factory=dict)
    """For each reason, the raw texts that have it: of the column, or the whole line. They are not shown."""
    set_aside: int = 0
    """Rejects that do not count towards the share at which a day is refused."""

    def add(self, outcome: str, rows: pl.DataFrame, texts: pl.Series) -> None:
        """Count rows, and keep the first as examples.

        Args:
            outcome: the outcome, or the reason of a reject.
            rows: candidates, with their ``line_number``.
            texts: the text that an example shows of each.
        """
        self.counts[outcome] += len(rows)
        some = self.examples.setdefault(outcome, [])
        free = EXAMPLES - len(some)
        for number, text in zip(rows["line_number"].head(free), texts.head(free), strict=True):
            some.append((number, shortened(text or "")[:LONGEST_EXAMPLE]))

    def read(self, raw: pl.DataFrame, wanted: Mapping[str, str]) -> None:
        """Count in how many records of a frame of a reader each field has a value.

        Args:
            raw: the frame.
            wanted: field -> its place in a line.
        """
        for name in wanted:
            self.filled[name] += len(raw) - raw[name].null_count()

    def add_rejects(
        self, rejected: pl.DataFrame, texts: pl.DataFrame, shown: Callable[[str, pl.DataFrame], pl.Series], contract: Contract
    ) -> None:
        """Count the rejects of a frame by reason, and keep the raw texts behind each reason.

        Args:
            rejected: rows with their ``reasons``.
            texts: for each record of the frame its raw columns, ``line`` among them.
            shown: gives the texts that examples of a reason show.
            contract: the contract of the table, which says which columns follow from others.
        """
        self.rejects += len(rejected)
        self.set_aside += int(is_set_aside(rejected["reasons"].list.first()).sum())
        for reason in rejected["reasons"].explode().unique(maintain_order=True).drop_nulls():
            rows = rejected.filter(pl.col("reasons").list.contains(reason))
            self.add(reason, rows, shown(reason, rows))
            column = contract.together(reason.partition(".")[0])[0]
            causes = rows.select(PLACE).join(texts, on=PLACE, how="left")
            self._keep_cause(reason, causes[column if column in texts.columns else "line"])

    def _keep_cause(self, reason: str, texts: pl.Series) -> None:
        seen = self.causes.setdefault(reason, Counter())
        if isinstance(texts.dtype, pl.List):
            texts = texts.list.join(", ")
        for text, count in texts.drop_nulls().cast(pl.String).value_counts(sort=True).head(MOST_TEXTS).iter_rows():
            if text in seen or len(seen) < MOST_TEXTS:
                seen[text] += count
