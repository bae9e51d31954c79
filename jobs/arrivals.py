"""List the files that arrived on a day, or name the missing source."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jobs.landing.files import ends_at, expect_arrival
from jobs.landing.published import ALLOW, published_files, refuse_missing_files
from schemas.lake.lake import open_lake
from schemas.runtime.cli import day, log, parser_of, run_command
from schemas.runtime.errors import Refused
from schemas.runtime.settings import get_settings
from schemas.source import load_source


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """List the files of an arrival day."""
    parser = parser_of(
        "List the files that arrived on a day, or name the missing source.", "python -m jobs.arrivals --arrived-on 1998-04-16"
    )
    parser.add_argument("--arrived-on", type=day, required=True, help="arrival day, YYYY-MM-DD")
    parser.add_argument("--by", type=datetime.fromisoformat, help="the day must end by this moment, given with its time zone")
    parser.add_argument("--history-since", default="", help="ignored; accepted so that the options match jobs.clean")
    parser.add_argument(ALLOW, action="store_true", help="do not compare with the files that the day was published from")
    args = parser.parse_args(argv)
    if args.by is not None and ends_at(args.arrived_on) > args.by:
        raise Refused(
            f"arrival day {args.arrived_on} is not over; it ends at {ends_at(args.arrived_on):%Y-%m-%d %H:%M} UTC; "
            "run it after that"
        )
    settings = get_settings()
    files = expect_arrival(settings.landing_dir, [load_source(n) for n in settings.source_names], args.arrived_on)
    if not args.allow_missing_files:
        refuse_missing_files(published_files(open_lake(), args.arrived_on), files, args.arrived_on)
    for file in files:
        log.info("arrived", file=file.relative, bytes=file.size)
    return {
        "arrived_on": args.arrived_on,
        "files": len(files),
        "bytes": sum(f.size for f in files),
    }


if __name__ == "__main__":
    raise SystemExit(run_command(main))
