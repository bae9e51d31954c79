"""Print the schema changes that the next publish of each table would make, or why it would be refused."""

from collections.abc import Sequence
from typing import Any

from schemas.contract import load_contract, table_names
from schemas.lake.evolution import needed, version_of
from schemas.runtime.cli import parser_of, run_command


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Print the schema changes of the next publish of each table."""
    parser = parser_of(
        "Print the schema changes of the next publish of each table, or why it is refused.",
        "python -m schemas.lake.schema_changes",
    )
    parser.parse_args(argv)
    from schemas.lake.lake import open_lake

    lake = open_lake()
    tables = {name: lake.table(name) for name in table_names() if lake.exists(name)}
    return {
        name: {
            "held": str(version_of(table) or "unknown"),
            "contract": str(load_contract(name).version),
            "changes": [str(change) for change in needed(table, load_contract(name))],
        }
        for name, table in tables.items()
    }


if __name__ == "__main__":
    raise SystemExit(run_command(main))
