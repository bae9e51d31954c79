"""Write MovieLens 100K as a landing zone: ``python -m local.movielens --landing var/landing``."""

import json
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from local.movielens.dataset import ITEMS, LAST_DAY, LICENCE, SOURCE, TERMS, build, truth_folder, wheel_folder
from local.movielens.defects import LINES
from local.movielens.landing_lines import arrives_by, write_new
from schemas.runtime.cli import day, parser_of, run_command
from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import get_settings


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Write the landing zone and, next to it, the record of the planted defects."""
    settings = get_settings()
    parser = parser_of(f"{str(__doc__).splitlines()[0]}\n\n{fill(TERMS, 100)}", "python -m local.movielens --landing landing")
    parser.add_argument("--landing", type=Path, default=settings.landing_dir, help="landing zone (default: %(default)s)")
    parser.add_argument(
        "--truth", type=Path, help="folder of planted.json (default: the landing zone's path with -truth appended)"
    )
    parser.add_argument("--seed", type=int, default=settings.seed, help="seed of the planted defects (default: %(default)s)")
    parser.add_argument("--until", type=day, default=LAST_DAY, help="the last arrival day to lay out (default: %(default)s)")
    args = parser.parse_args(argv)
    truth = args.truth or truth_folder(args.landing)
    files, planted, counts = build(wheel_folder(), args.seed)
    written = write_new(args.landing, files, (SOURCE, ITEMS), args.until)
    laid_out = {arrived_on: lines for arrived_on, lines in sorted(counts.items()) if arrived_on <= str(args.until)}
    planted = [defect for defect in planted if defect["arrived_on"] <= str(args.until)]
    record = {"seed": args.seed, "lines": laid_out, "defects": planted}
    write_atomically(truth / "planted.json", json.dumps(record, indent=1))
    return {
        "landing": str(args.landing),
        "files": sum(arrives_by(name, args.until) for name in files),
        "files_written": written,
        "lines": laid_out,
        "planted": {kind.value: sum(d["kind"] == kind for d in planted) for kind in LINES},
        "truth": str(truth / "planted.json"),
        "terms": LICENCE,
    }


if __name__ == "__main__":
    raise SystemExit(run_command(main))
