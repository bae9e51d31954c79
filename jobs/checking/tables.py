"""The output of a check: the outcomes as a table, example lines of each, and the next steps."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jobs.checking.checked import Checked
from jobs.checking.items import ITEM
from jobs.cleaning.reject_reasons import sentence
from schemas.contract import load_contract
from schemas.outcomes import Outcome
from schemas.runtime.terminal import literal
from schemas.source import Source

WORDS = {
    Outcome.EVENT: "kept as an event",
    Outcome.EXACT_DUPLICATE: "a copy of an earlier event",
    Outcome.NEAR_DUPLICATE: "the same behaviour repeated within seconds",
}
CHANGES = {"redacted": "{} in them was replaced", "cut": "{} was longer than the contract allows, and was cut"}


def show(found: Checked, source: Source, path: Path, steps: Sequence[str], console: Console) -> None:
    """Print the outcomes as a table, below it example lines of each, and at the end the next steps.

    Args:
        found: the outcomes.
        source: the mapping; it explains its own rules.
        path: the file, for the title.
        steps: the next steps for a person.
        console: where to print.
    """
    words = {str(outcome): text for outcome, text in WORDS.items()} | {ITEM: "a line of the catalogue"}
    contract = load_contract(found.table)
    outcomes = [name for name in words if found.counts[name]]
    outcomes += [name for name, count in found.counts.most_common() if name not in words and count]
    what = "" if found.complete else " (the first of the file)"
    records = "" if found.records == found.lines else f", {found.records:,} records"
    title = f"{path.name} as {source.name}: {found.lines:,} lines{records}{what}"
    table = Table(title=literal(title), title_justify="left")
    for name, justify in (("outcome", "left"), ("lines", "right"), ("share", "right"), ("in words", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for name in outcomes:
        share = f"{100 * found.counts[name] / max(1, found.records):.1f} %"
        in_words = words.get(name) or sentence(name, source, contract)
        table.add_row(literal(name), f"{found.counts[name]:,}", share, literal(in_words))
    console.print(table)
    examples = Table(title="Examples", title_justify="left")
    for name in ("outcome", "line", "masked line"):
        examples.add_column(name, overflow="fold", justify="right" if name == "line" else "left")
    for name in outcomes:
        for at, (number, text) in enumerate(found.examples[name]):
            last = at == len(found.examples[name]) - 1
            examples.add_row(literal("" if at else name), str(number), literal(text), end_section=last)
    console.print(examples)
    for name, count in sorted(found.changed.items()):
        what, _, of = name.partition(".")
        console.print(literal(f"{count:,} texts: {CHANGES[what].format(of)}"))
    console.print("What to do next", style="bold")
    for number, step in enumerate(steps, 1):
        console.print(literal(f"{number}. {step}"))
