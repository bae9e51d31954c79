"""Statistics of each table: rows, files, bytes, partitions, snapshots, and unreferenced files.

``python -m schemas.maintenance.table_statistics --date 2026-11-20`` prints a table, and writes ``var/docs/lake.html``.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from rich.console import Console
from rich.table import Table as Grid

from schemas.lake.lake import Lake, open_lake
from schemas.lake.referenced_files import metadata_folder, referenced_files
from schemas.lake.rewrite import live_files, partition_values
from schemas.lake.storage import listing
from schemas.maintenance.each_table import each_table
from schemas.maintenance.options import parser
from schemas.publishing.staging import data_folder
from schemas.runtime.cli import run_command
from schemas.runtime.settings import get_settings

TEMPLATES = Path(__file__).parent.parent / "pages" / "templates"
SHOWN = ("rows", "files", "bytes", "partitions", "oldest", "newest", "snapshots", "tags", "orphan_bytes")


def statistics(lake: Lake, name: str) -> dict[str, Any]:
    """Statistics of a table, from metadata and file listings only.

    Args:
        lake: the lake.
        name: the table.
    """
    table = lake.table(name)
    files = list(live_files(table).values())
    values = [tuple(v.values()) for v in partition_values(name, table, files)]
    used = referenced_files(table)
    there = listing(data_folder(name)) | listing(metadata_folder(table))
    return {
        "rows": sum(file.record_count for file in files),
        "files": len(files),
        "bytes": sum(file.file_size_in_bytes for file in files),
        "partitions": len(set(values)),
        "oldest": min(values, default=(None,))[0],
        "newest": max(values, default=(None,))[0],
        "snapshots": len(table.snapshots()),
        "tags": sum(tag != "main" for tag in table.refs()),
        "kept_bytes": sum(found.bytes for path, found in there.items() if path in used.data),
        "orphan_files": len(there.keys() - used.data - used.metadata),
        "orphan_bytes": sum(f.bytes for path, f in there.items() if path not in used.data and path not in used.metadata),
    }


def show(tables: dict[str, dict[str, Any]], on: date, console: Console) -> None:
    """Print statistics as a table in the terminal.

    Args:
        tables: statistics by table.
        on: day of the statistics.
        console: the console to print to.
    """
    grid = Grid(title=f"The lake, {on}", title_justify="left")
    for column in ("table", *SHOWN):
        grid.add_column(column.replace("_", " "), justify="left" if column in ("table", "oldest", "newest") else "right")
    for name, figures in tables.items():
        grid.add_row(name, *(f"{v:,}" if isinstance(v := figures[c], int) else str(v or "") for c in SHOWN))
    console.print(grid)


def write_page(tables: dict[str, dict[str, Any]], on: date, path: Path) -> None:
    """Write statistics as an HTML page.

    Args:
        tables: statistics by table.
        on: day of the statistics.
        path: the page; its folder is created if needed.
    """
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(), trim_blocks=True)
    most = max((figures["bytes"] for figures in tables.values()), default=0) or 1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(environment.get_template("statistics.html").render(tables=tables, on=on, most=most), encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Print the statistics of all tables and write the page."""
    made = parser(
        "Print statistics of each table.", "python -m schemas.maintenance.table_statistics --date 2026-03-01", deletes=False
    )
    made.add_argument("--out", type=Path, help="HTML page to write (default: <var>/docs/lake.html)")
    args = made.parse_args(argv)
    lake = open_lake()
    found = each_table(lake, args.table, lambda name: statistics(lake, name))
    tables = found.tables
    console = Console(stderr=True)
    show(tables, args.date, console if console.is_terminal else Console(stderr=True, width=140))
    page = args.out or get_settings().var / "docs" / "lake.html"
    write_page(tables, args.date, page)
    found.expect_all()
    return {"page": str(page), "tables": tables}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
