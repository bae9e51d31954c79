"""HTML documentation of the tables: one page per contract, with the number of rejected rows per rule.

``python -m schemas.pages.table_docs --out var/docs``
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
from jinja2 import Environment, FileSystemLoader, select_autoescape

from schemas.contract import CONTRACTS, Contract, load_contract, table_names
from schemas.lake.lake import Lake, open_lake, row_counts
from schemas.runtime.cli import parser_of, run_command
from schemas.runtime.settings import get_settings

TEMPLATES = Path(__file__).parent / "templates"


def rejected_by_rule(lake: Lake) -> dict[str, int]:
    """Number of rows in ``rejects`` by reason, over all published partitions."""
    if not lake.exists("rejects"):
        return {}
    reasons = lake.arrow("rejects", columns=["reasons"])["reasons"].combine_chunks()
    return dict(Counter(pc.list_flatten(reasons).to_pylist()))


def seen_by_suite(lake: Lake, table: str) -> dict[str, int]:
    """Number of rejected candidates that violate each rule, over the audits of all published partitions.

    Args:
        lake: the lake.
        table: the table.
    """
    counts: Counter[str] = Counter()
    for commit in {c.snapshot_id: c for c in lake.current_commits(table).values()}.values():
        counts.update(commit.audit.get("quarantined", {}))
    return dict(counts)


def describe(contract: Contract, lake: Lake, rows: int) -> dict[str, Any]:
    """The data for a table's page: columns, rules as sentences, and the counts of each rule.

    Args:
        contract: contract of the table.
        lake: the lake.
        rows: number of rows of the table.
    """
    rejected = rejected_by_rule(lake) if contract.quarantine else {}
    seen = seen_by_suite(lake, contract.name) if contract.quarantine else {}
    rules = [
        {
            "id": r.id,
            "sentence": r.sentence,
            "why": r.why,
            "rejected": rejected.get(r.id, 0),
            "suite": seen.get(r.id, 0),
        }
        for r in contract.rules
    ]
    other = {reason: n for reason, n in sorted(rejected.items()) if reason not in {r.id for r in contract.rules}}
    return {
        "contract": contract,
        "rows": rows,
        "rules": rules,
        "counts_rejects": contract.quarantine is not None,
        "other_reasons": other,
        "keys": set(contract.primary_key),
        "partitions": set(contract.partition_by),
    }


def write_docs(out: Path, lake: Lake, folder: Path = CONTRACTS) -> list[Path]:
    """Write the index and one page per contract.

    Args:
        out: folder of the pages.
        lake: the lake.
        folder: folder of the contracts.

    Returns:
        Paths of the pages, the index first.
    """
    out.mkdir(parents=True, exist_ok=True)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    rows = row_counts(lake)
    tables = [describe(load_contract(n, folder), lake, rows.get(n, 0)) for n in table_names(folder)]
    pages = [out / "index.html"]
    pages[0].write_text(environment.get_template("index.html").render(tables=tables), encoding="utf-8")
    for table in tables:
        pages.append(out / f"{table['contract'].name}.html")
        pages[-1].write_text(environment.get_template("table.html").render(table=table, tables=tables), encoding="utf-8")
    return pages


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the documentation of all tables."""
    parser = parser_of(
        "Write the HTML documentation of the tables, with the number of rejected rows per rule.",
        "python -m schemas.pages.table_docs",
    )
    parser.add_argument("--out", type=Path, help="folder of the pages (default: <var>/docs)")
    args = parser.parse_args(argv)
    pages = write_docs(args.out or get_settings().var / "docs", open_lake())
    return {"index": str(pages[0]), "pages": len(pages)}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
