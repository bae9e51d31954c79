"""Pin the data of a training: tag the snapshots in the lake and record their ids.

Every later task (training, evaluation, registration) reads these snapshots. So clearing a task, or reproducing a version a
year later, reads the same rows, even if newer data were published since.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Literal

from ml.data.pinned_data import PinnedData, read_pin, training_folder
from ml.text.encoder import encoder_digest
from schemas.lake.lake import open_lake
from schemas.lake.snapshots import add_snapshot_option, inputs_for, tag_snapshots, tags, training_tag
from schemas.runtime.cli import day, log, parser_of, run_id_default
from schemas.runtime.errors import ClickwrightError, NothingToDo
from schemas.runtime.local_files import slug, write_atomically
from schemas.runtime.settings import get_settings
from schemas.runtime.version import code_version
from schemas.source import catalogue_tables


def pin(
    run: str, train_until: date, valid_days: int, as_of: Sequence[str] = (), effort: Literal["full", "quick"] = "full"
) -> PinnedData:
    """Pin the current snapshots for a training, or those of ``as_of``; an existing pin is kept.

    Args:
        run: name of the training.
        train_until: fit on events that happened and arrived before this day.
        valid_days: length of the validation window before ``train_until``, in days.
        as_of: tables as of a snapshot or a tag, as ``--as-of-snapshot`` takes them.
        effort: how thoroughly recipes are tuned.

    Raises:
        ClickwrightError: a table is still empty, or the run was pinned for other dates or another effort.
        NothingToDo: no session closed on ``train_until`` or later, so there is nothing to test on.
    """
    path = training_folder(run) / "data.json"
    lake, tag = open_lake(), training_tag(run)
    tables = ["session_events", *catalogue_tables(lake.settings)]
    if path.exists():
        pinned = read_pin(run)
        wanted = inputs_for(lake, tables, as_of) if as_of else pinned.snapshots
        if (pinned.train_until, pinned.valid_days, pinned.effort, pinned.snapshots) != (
            train_until,
            valid_days,
            effort,
            wanted,
        ):
            raise ClickwrightError(
                f"training {run} is pinned for {pinned.train_until}, {pinned.valid_days} days, effort {pinned.effort}, "
                f"at {pinned.snapshots}; "
                f"in {path}; give another --run"
            )
        return pinned
    # An earlier pin of this run may have been interrupted after it tagged snapshots: use those.
    tagged = [f"{table}={tag}" for table in tables if tag in tags(lake, table)]
    snapshots = inputs_for(lake, tables, as_of or tagged)
    closed = lake.partitions("session_events", "closed_on", snapshots["session_events"])
    if not closed or closed[-1] < train_until:
        raise NothingToDo(f"no session closed on {train_until} or later, so there is nothing to test on; nothing to train")
    tag_snapshots(lake, tag, snapshots)
    catalogues = lake.partitions("items", "as_of", snapshots["items"]) if "items" in snapshots else []
    known = [as_of for as_of in catalogues if as_of < train_until]
    pinned = PinnedData(
        run=run,
        training=slug(run),
        tag=tag,
        snapshots=snapshots,
        reads=reads(train_until, known),
        train_until=train_until,
        valid_days=valid_days,
        valid_from=train_until - timedelta(days=valid_days),
        items_as_of=known[-1] if known else None,
        code_version=code_version(),
        seed=get_settings().seed,
        encoder=encoder_digest(),
        effort=effort,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, pinned.model_dump_json(indent=1) + "\n")
    log.info("pinned", training=pinned.training, **{f"{k}_snapshot": v for k, v in snapshots.items()})
    return pinned


def reads(train_until: date, catalogues: Sequence[date]) -> dict[str, str]:
    """The rows of each table that a model is fitted on, as filters, for lineage.

    Args:
        train_until: fit on events before this day.
        catalogues: days of the catalogues before it, oldest first.

    >>> reads(date(2024, 3, 1), [date(2024, 2, 28)])["items"]
    "as_of = '2024-02-28'"
    """
    rows = {"session_events": f"arrived_on < '{train_until}' and event_time < '{train_until}T00:00:00+00:00'"}
    return rows | ({"items": f"as_of = '{catalogues[-1]}'"} if catalogues else {})


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Pin the current snapshots for a training."""
    parser = parser_of(__doc__, "python -m ml.pin --run spring --train-until 1998-04-16")
    parser.add_argument("--run", default=run_id_default(), help="name of the training run")
    parser.add_argument(
        "--train-until",
        type=day,
        required=True,
        help="fit on events that happened and arrived before this day, 00:00 UTC; test on the rest",
    )
    parser.add_argument("--valid-days", type=int, default=14, help="length of the validation window before it, in days (14)")
    parser.add_argument(
        "--effort",
        choices=("full", "quick"),
        default="full",
        help="quick: every recipe tries fewer settings, and networks train for fewer epochs (default: full)",
    )
    add_snapshot_option(parser)
    arguments = parser.parse_args(argv)
    if arguments.valid_days < 1:
        parser.error("--valid-days must be at least 1")
    found = pin(arguments.run, arguments.train_until, arguments.valid_days, arguments.as_of_snapshot, arguments.effort)
    return found.model_dump(mode="json")


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
