"""Write a small simulated shop as a second source beside the films: ``python -m local.shop --landing var/landing``."""

import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.movielens.dataset import LAST_DAY, truth_folder
from local.movielens.landing_lines import arrives_by, write_new
from local.shop.layout import ITEMS, SOURCE, arguments, lay_out
from local.stack.commands import run
from schemas.runtime.cli import day, parser_of, run_command
from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import get_settings


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Simulate the shop, lay its lines out, and record the planted ones next to the landing zone."""
    settings = get_settings()
    parser = parser_of(str(__doc__).splitlines()[0], "python -m local.shop --landing landing")
    parser.add_argument("--landing", type=Path, default=settings.landing_dir, help="landing zone (default: %(default)s)")
    parser.add_argument("--truth", type=Path, help="folder of shop.json (default: <landing zone>-truth)")
    parser.add_argument("--seed", type=int, default=settings.seed, help="seed of the shop (default: %(default)s)")
    parser.add_argument("--until", type=day, default=LAST_DAY, help="the last arrival day to lay out (default: %(default)s)")
    args = parser.parse_args(argv)
    truth = args.truth or truth_folder(args.landing)
    with tempfile.TemporaryDirectory() as made:
        simulated = run("jobs.simulate", arguments(Path(made) / "landing", Path(made) / "truth", args.seed))
        shop = lay_out(Path(made) / "landing", Path(made) / "truth")
    written = write_new(args.landing, shop.files, (SOURCE, ITEMS), args.until)
    planted = [line for line in shop.planted if line["arrived_on"] <= str(args.until)]
    write_atomically(truth / "shop.json", json.dumps({"seed": args.seed, "defects": planted}, indent=1))
    return {
        "landing": str(args.landing),
        "events": simulated["events"],
        "files": sum(arrives_by(name, args.until) for name in shop.files),
        "files_written": written,
        "planted": dict(sorted(Counter(line["kind"] for line in planted).items())),
        "truth": str(truth / "shop.json"),
    }


if __name__ == "__main__":
    raise SystemExit(run_command(main))
