"""Lineage: trace rows back to the landing files they came from, with ``python -m schemas.lineage``."""

import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from schemas.contract import table_names
from schemas.lake.lake import open_lake
from schemas.lineage.tree import as_tree
from schemas.lineage.walk import lineage
from schemas.privacy.pseudonyms import as_pseudonym
from schemas.runtime.cli import parser_of, run_command
from schemas.runtime.settings import get_settings

WIDE = 10_000
"""The width of output that does not go to a terminal, so that no line is wrapped."""


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Print the lineage of rows."""
    parser = parser_of(
        "Trace the rows of a partition back to the lines of the landing files.",
        "python -m schemas.lineage sessions --partition 1998-04-23",
    )
    parser.add_argument("table", choices=table_names(), metavar="TABLE", help=f"one of {', '.join(table_names())}")
    parser.add_argument("--partition", required=True, help="partition value, such as 1998-04-23")
    parser.add_argument(
        "--user", help="only rows of this user: a pseudonym or a raw id (never printed); - reads it from standard input"
    )
    parser.add_argument("--as-of-snapshot", metavar="NAME", help="read the table as of a snapshot id or a tag")
    parser.add_argument("--json", action="store_true", help="print one line of JSON with all details instead of the tree")
    args = parser.parse_args(argv)
    user = sys.stdin.readline().strip() if args.user == "-" else args.user
    lake = open_lake()  # it compares the key of the pseudonyms
    who = None if user is None else as_pseudonym(user, get_settings())
    found = lineage(lake, args.table, args.partition, who, args.as_of_snapshot)
    if args.json:
        return found.as_dict()
    Console(width=None if sys.stdout.isatty() else WIDE, emoji=False).print(as_tree(found.as_dict()), highlight=False)
    files = {node.name: len(node.facts.get("lines", ())) for node in found.of_kind("file")}
    return {"table": args.table, "partition": args.partition, "rows": found.facts["count"], "landing_files": len(files)}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
