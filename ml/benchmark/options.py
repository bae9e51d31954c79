"""Options and reading of interaction files, shared by the benchmarks."""

import argparse
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.runtime.errors import ConfigError

if TYPE_CHECKING:
    from ml.data.splits import Split


def add_file_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that :func:`read` needs."""
    parser.add_argument("--sequences", type=Path, required=True, help="a line per user, or a header and times; plain or .gz")
    parser.add_argument("--items", type=Path, help="file of titles and categories, for a file with times")
    parser.add_argument("--split", choices=("time", "leave-one-out"), default="time", help="kind of split (default: time)")
    parser.add_argument(
        "--ask", choices=("next", "window"), default="next", help="by time: predict the next item, or the window"
    )
    parser.add_argument("--valid-days", type=int, default=14, help="by time: days of the validation window (14)")
    parser.add_argument("--test-days", type=int, default=14, help="by time: days of the test window (14)")


def read(arguments: argparse.Namespace) -> "Split":
    """The split that the arguments describe.

    Raises:
        ConfigError: the file has no times for ``--split time``, or a part of the split is empty.
    """
    from ml.benchmark.datasets import in_order, is_timed, read_sequences, read_timed
    from ml.data.interactions import day_of
    from ml.data.splits import by_time, leave_one_out

    path: Path = arguments.sequences
    timed = is_timed(path)
    if arguments.split == "leave-one-out":
        split = leave_one_out(*(in_order(*read_timed(path, arguments.items)) if timed else read_sequences(path)))
    elif timed:
        events, items = read_timed(path, arguments.items)
        until = day_of(int(events.arrived.max(initial=0))) + timedelta(days=1 - arguments.test_days)
        split = by_time(events, items, until, arguments.valid_days, ask=arguments.ask, least=1)
    else:
        raise ConfigError(f"the file has no header with user_id, item_id, timestamp; in {path}; use --split leave-one-out")
    if not (len(split.fit) and len(split.validation) and len(split.test)):
        raise ConfigError(
            f"there are {len(split.fit)} events to fit on, {len(split.validation)} validation queries, "
            f"{len(split.test)} test queries; in {path}; change --valid-days or --test-days"
        )
    return split
