"""Batch inference: the day's items for every known user, ranked by the champion, each with a reason.

The champion is resolved once per run; a version whose files did not pass the gate is refused. The users are those of the
profiles of the day before. An event counts if it happened before the day began (00:00 UTC) and had arrived by the day before.
Items that the user has interacted with are not recommended again, nor are items that the catalogue of the day before lacks.
Users without usable history get the items most popular in their segment over the last 30 days; in a lake of several sources,
among the people of their own sources.

Users are dealt into shards, and a finished shard is kept until the run ends. If a run is killed, a retry with the same
champion, snapshots, settings and code makes only the missing shards, and stages the same bytes. CLICKWRIGHT_RECOMMEND_ON
selects the maker of the shards: this process, or the tasks of a Spark cluster (at CLICKWRIGHT_SPARK_MASTER, or at the master
that is given to ``spark-submit``).

    python -m ml.recommend --served-on 1998-04-23
"""

import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from ml.compute.threads import limit_threads
from ml.inference.batch import Served, make_shards
from ml.inference.scorer import Origin, Policy
from ml.inference.shards import TABLE, USER_COLUMNS, Work
from ml.inference.user_groups import by_source, sources_of
from ml.inference.user_histories import known_events
from schemas.lake.lake import Lake, open_lake
from schemas.lake.snapshots import add_snapshot_option, catalogue_of, inputs_for
from schemas.publishing.staging import open_attempt
from schemas.runtime.cli import day, log, parser_of, run_id_default
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import get_settings
from schemas.runtime.version import code_version
from schemas.source import catalogue_tables

BATCH_USERS = 256


def read_day(lake: Lake, table: str, as_of: date, snapshot: int, columns: Sequence[str]) -> pa.Table:
    """A table's rows as of a day.

    Args:
        lake: holds the table.
        table: its name.
        as_of: the day.
        snapshot: id of the snapshot to read.
        columns: to read.

    Raises:
        ClickwrightError: the table has no rows of that day.
    """
    rows = lake.arrow(table, where=f"as_of = '{as_of}'", snapshot=snapshot, columns=list(columns))
    if rows.num_rows == 0:
        raise ClickwrightError(
            f"{table} as of {as_of} are not published; in table {table}; run `behaviour_day` for {as_of} first"
        )
    return rows


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage a day's recommendations."""
    parser = parser_of(
        "Recommend items to every known user for a day, and stage them.", "python -m ml.recommend --served-on 1998-04-23"
    )
    parser.add_argument("--served-on", type=day, required=True, help="day on which they are shown, YYYY-MM-DD")
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    parser.add_argument("--k", type=int, default=10, help="items per user (default: 10)")
    parser.add_argument("--batch-users", type=int, default=BATCH_USERS, help="users scored at a time")
    add_snapshot_option(parser)
    args = parser.parse_args(argv)
    from ml.models import load_recommender
    from ml.promotion.gate_records import expect_pass
    from ml.tracking.registry import champion, download, provenance, version_uri
    from ml.tracking.runs import connect  # MLflow is heavy, and needed only here
    from schemas.runtime.local_files import digest

    started = time.perf_counter()
    settings = get_settings()
    lake = open_lake(settings)
    inputs = inputs_for(lake, ["profiles", *catalogue_tables(settings), "session_events"], args.as_of_snapshot)
    as_of = args.served_on - timedelta(days=1)
    users = read_day(lake, "profiles", as_of, inputs["profiles"], USER_COLUMNS)
    users = by_source(users, sources_of(lake, args.served_on, inputs["session_events"]))
    known = catalogue_of(lake, inputs, as_of)
    catalogue = None if known is None else read_day(lake, "items", known, inputs["items"], ["item_id", "title", "categories"])
    limit_threads()
    version = champion(connect(settings), settings)
    files = download(version_uri(settings, version))
    expect_pass(settings, str(version.version), files)
    model, item_ids = load_recommender(files)
    log.info("champion", model=settings.registered_model, version=version.version, recipe=model.name, users=len(users))

    policy = Policy(
        k=args.k,
        batch_users=args.batch_users,
        candidates=settings.recommend_candidates,
        relevance=settings.recommend_relevance,
        explored=settings.recommend_explored,
        seed=settings.seed,
    )
    origin = Origin(args.served_on, settings.registered_model, str(version.version))
    follows_from = {"inputs": inputs, "model": digest(files), "policy": policy, "origin": origin, "code": code_version()}
    work = Work.of(args.run, follows_from, -(-len(users) // settings.recommend_shard_users))
    with open_attempt("recommend", args.run, inputs) as attempt:
        events = known_events(lake, args.served_on, inputs["session_events"])
        served = Served(model, item_ids, files, policy, origin)
        make_shards(served, users, events, catalogue, work, settings.recommend_on)
        work.stage(attempt.folder(TABLE))
        attempt.replaces(TABLE, "served_on", [args.served_on])
        figures = work.figures()
        attempt.note(model_name=settings.registered_model, model_version=origin.model_version, recipe=model.name, **figures)
        attempt.note(policy=asdict(policy))
        attempt.note(model=provenance(settings, version), reads=reads(args.served_on, known))
    work.remove()
    if figures["users_without"]:
        log.warning(
            "some users get no recommendations: they have interacted with every eligible item", users=figures["users_without"]
        )
    return {
        "served_on": str(args.served_on),
        "model_version": origin.model_version,
        "recipe": model.name,
        **figures,
        "seconds": round(time.perf_counter() - started, 1),
    }


def reads(served_on: date, catalogue: date | None) -> dict[str, str]:
    """The rows of each table that a day's recommendations depend on, as filters, for lineage.

    Args:
        served_on: day of the recommendations.
        catalogue: day of the catalogue, None without one.

    >>> reads(date(2024, 3, 1), None)["profiles"]
    "as_of = '2024-02-29'"
    """
    return {
        "profiles": f"as_of = '{served_on - timedelta(days=1)}'",
        **({} if catalogue is None else {"items": f"as_of = '{catalogue}'"}),
        "session_events": f"arrived_on < '{served_on}' and event_time < '{served_on}T00:00:00+00:00'",
    }


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
