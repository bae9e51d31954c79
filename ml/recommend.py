"""Batch inference: the day's titles for every known user, by the champion, with a reason each.

The champion is resolved once. Users are those of the profiles of the day before. What they did counts if it happened before
the day began (00:00 UTC) and had arrived by the day before. What they met is not recommended again, nor what the catalogue
of the day before does not hold.

    python -m ml.recommend --served-on 1998-04-23
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ml.data import IGNORED_EVENTS, microseconds
from ml.models.base import Recommender
from ml.reasons import RECENT_DAYS, History, Titles, reasons
from ml.threads import share_the_machine
from ml.top import best
from schemas.cli import at_work, day, log, run_id_default
from schemas.contract import load_contract
from schemas.errors import ClickwrightError
from schemas.lake import Lake, open_lake
from schemas.settings import get_settings
from schemas.staging import open_attempt
from schemas.tags import add_snapshot_option, catalogue_of, inputs_for

BATCH_USERS = 256
INPUTS = ("profiles", "items", "session_events")
EVENT_COLUMNS = ["user_id", "event_time", "event_id", "event_type", "item_id", "value", "arrived_on"]


@dataclass(frozen=True)
class Behaviour:
    """What the users of a day did, by user, oldest first: N events of U users."""

    starts: npt.NDArray[np.int64]
    """Where each user's events begin, ``[U + 1]``."""
    items: npt.NDArray[np.int32]
    """Index of the item in the model, -1 for one that it does not know, ``[N]``."""
    times: npt.NDArray[np.int64]
    """Microseconds since 1970 UTC, ``[N]``."""
    deeds: npt.NDArray[np.object_]
    """Event types, ``[N]``."""
    values: npt.NDArray[np.float64]
    """Such as the rating; NaN where there is none, ``[N]``."""

    def of(self, user: int) -> tuple[History, npt.NDArray[np.int64]]:
        """A user's events with items that the model knows, and their times."""
        own = slice(int(self.starts[user]), int(self.starts[user + 1]))
        known = self.items[own] >= 0
        history = History(self.items[own][known], list(self.deeds[own][known]), self.values[own][known])
        return history, self.times[own][known]

    @property
    def highest_rating(self) -> float:
        ratings = self.values[(self.deeds == "rating") & ~np.isnan(self.values)]
        return float(ratings.max(initial=0.0))


def known_events(lake: Lake, served_on: date, snapshot: int) -> pa.Table:
    """The events that had happened and arrived before ``served_on`` and say what somebody chose; read in batches."""
    kept = []
    reader = lake.batches("session_events", where=f"arrived_on < '{served_on}'", snapshot=snapshot, columns=EVENT_COLUMNS)
    for batch in reader:
        before = pc.less(batch["event_time"].cast("int64"), microseconds(served_on))
        chosen = pc.and_(pc.is_valid(batch["item_id"]), pc.invert(pc.is_in(batch["event_type"], pa.array(IGNORED_EVENTS))))
        kept.append(batch.filter(pc.and_(before, chosen)).drop_columns(["arrived_on"]))
    schema = pa.schema([load_contract("session_events").arrow_schema.field(c) for c in EVENT_COLUMNS[:-1]])
    return pa.Table.from_batches(kept, schema=schema)


def behaviour(events: pa.Table, users: Sequence[str], item_ids: Sequence[str]) -> Behaviour:
    """Events as arrays by user; events of users who are not in ``users`` (sorted) are left out."""
    user = pc.index_in(events["user_id"], pa.array(users, pa.string()))
    events = events.append_column("user", user).filter(pc.is_valid(user))
    events = events.sort_by([("user", "ascending"), ("event_time", "ascending"), ("event_id", "ascending")])
    items = pc.fill_null(pc.index_in(events["item_id"], pa.array(item_ids, pa.string())), -1)
    by_user = events["user"].to_numpy().astype(np.int64)
    return Behaviour(
        starts=np.searchsorted(by_user, np.arange(len(users) + 1)).astype(np.int64),
        items=items.to_numpy().astype(np.int32),
        times=events["event_time"].cast("int64").to_numpy(),
        deeds=events["event_type"].to_numpy(zero_copy_only=False),
        values=pc.fill_null(events["value"], float("nan")).to_numpy(),
    )


def titles_of(catalogue: pa.Table | None, events: pa.Table, item_ids: Sequence[str], served_on: date) -> tuple[Titles, Any]:
    """Titles by the model's item index with how many people met each of late; and which items are in the catalogue, [I].

    Where there is no catalogue, an item is called by its id, and offered.
    """
    if catalogue is None:
        catalogue = pa.table({"item_id": item_ids, "title": item_ids, "categories": pa.nulls(len(item_ids))})
    place = {item: index for index, item in enumerate(item_ids)}
    titles, categories = [""] * len(item_ids), [[""][:0] for _ in item_ids]
    offered = np.zeros(len(item_ids), dtype=bool)
    for row in catalogue.to_pylist():
        index = place.get(row["item_id"])
        if index is not None:
            titles[index], categories[index], offered[index] = row["title"], list(row["categories"] or ()), True
    late = pc.greater_equal(events["event_time"].cast("int64"), microseconds(served_on - timedelta(days=RECENT_DAYS)))
    people = events.filter(late).group_by("item_id").aggregate([("user_id", "count_distinct")])
    recent = np.zeros(len(item_ids), dtype=np.int64)
    for item, met in zip(people["item_id"].to_pylist(), people["user_id_count_distinct"].to_pylist(), strict=True):
        if item in place:
            recent[place[item]] = met
    return Titles(titles, categories, recent), offered


def recommend(
    model: Recommender,
    users: Sequence[str],
    did: Behaviour,
    titles: Titles,
    offered: npt.NDArray[np.bool_],
    *,
    k: int,
    batch_users: int = BATCH_USERS,
) -> Iterator[dict[str, Any]]:
    """The rows ``user_id, rank, item_id (as index), score, reason``, user by user; users without any candidate have none.

    Args:
        offered: which items may be recommended, ``[I]``.
        batch_users: users scored at a time; the result does not depend on it.
    """
    highest = did.highest_rating
    started = time.perf_counter()
    for first in range(0, len(users), batch_users):
        rows = range(first, min(first + batch_users, len(users)))
        histories = [did.of(row) for row in rows]
        scores_BI = model.scores([h.items for h, _ in histories], [times for _, times in histories])
        for row, (history, _), scores_I in zip(rows, histories, scores_BI, strict=True):
            candidates_I = np.where(offered, scores_I, -np.inf)
            candidates_I[history.items] = -np.inf
            items = [item for item in best(candidates_I, k).tolist() if np.isfinite(candidates_I[item])]
            why = reasons(items, history, titles, model, highest)
            for rank, (item, text) in enumerate(zip(items, why, strict=True), start=1):
                yield {
                    "user_id": users[row],
                    "rank": rank,
                    "item": item,
                    "score": float(scores_I[item]),
                    "reason": text,
                }
        log.info("recommending", users=rows.stop, of=len(users), seconds=round(time.perf_counter() - started, 1))


def read_day(lake: Lake, table: str, as_of: date, snapshot: int, columns: Sequence[str]) -> pa.Table:
    """A table's rows as of a day.

    Raises:
        ClickwrightError: there are none.
    """
    rows = lake.arrow(table, where=f"as_of = '{as_of}'", snapshot=snapshot, columns=list(columns))
    if rows.num_rows == 0:
        raise ClickwrightError(
            f"{table} as of {as_of} are not published; in table {table}; run `behaviour_day` for {as_of} first"
        )
    return rows


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage a day's recommendations."""
    parser = argparse.ArgumentParser(description="Recommend titles for a day to every known user, and stage them.")
    parser.add_argument("--served-on", type=day, required=True, help="day on which they are shown, YYYY-MM-DD")
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    parser.add_argument("--k", type=int, default=10, help="titles a user (default: 10)")
    parser.add_argument("--batch-users", type=int, default=BATCH_USERS, help="users scored at a time")
    add_snapshot_option(parser)
    args = parser.parse_args(argv)
    from ml.registry import connect, load_champion, numbered, provenance  # MLflow: heavy, and only needed here

    started = time.perf_counter()
    settings = get_settings()
    lake = open_lake(settings)
    inputs = inputs_for(lake, INPUTS, args.as_of_snapshot)
    as_of = args.served_on - timedelta(days=1)
    profiles = read_day(lake, "profiles", as_of, inputs["profiles"], ["user_id"])
    known = catalogue_of(lake, inputs, as_of)
    catalogue = None if known is None else read_day(lake, "items", known, inputs["items"], ["item_id", "title", "categories"])
    users = sorted(profiles["user_id"].to_pylist())
    share_the_machine()
    model, version, item_ids = load_champion()
    made_by = provenance(settings, numbered(connect(settings), settings, version))
    log.info("champion", model=settings.registered_model, version=version, recipe=model.name, users=len(users))

    events = known_events(lake, args.served_on, inputs["session_events"])
    did = behaviour(events, users, item_ids)
    titles, offered = titles_of(catalogue, events, item_ids, args.served_on)
    with open_attempt("recommend", args.run, inputs) as attempt:
        with at_work("pytorch"):
            rows = list(recommend(model, users, did, titles, offered, k=args.k, batch_users=args.batch_users))
        schema = load_contract("recommendations").arrow_schema
        same = {
            "served_on": args.served_on,
            "propensity": 1.0,
            "model_name": settings.registered_model,
            "model_version": version,
        }
        table = pa.Table.from_pylist([{**row, "item_id": item_ids[row["item"]], **same} for row in rows], schema=schema)
        attempt.write_arrow("recommendations", table, replaces=("served_on", [args.served_on]))
        figures = figures_of(rows, users, did, args.k)
        attempt.note(model_name=settings.registered_model, model_version=version, recipe=model.name, **figures)
        attempt.note(model=made_by, reads=reads(args.served_on, known))
    if figures["users_without"]:
        log.warning("some users get nothing: they met all that is offered", users=figures["users_without"])
    return {
        "served_on": str(args.served_on),
        "model_version": version,
        "recipe": model.name,
        **figures,
        "seconds": round(time.perf_counter() - started, 1),
    }


def reads(served_on: date, catalogue: date | None) -> dict[str, str]:
    """Which rows of each table a day's recommendations follow from, as filters: what lineage shows."""
    return {
        "profiles": f"as_of = '{served_on - timedelta(days=1)}'",
        **({} if catalogue is None else {"items": f"as_of = '{catalogue}'"}),
        "session_events": f"arrived_on < '{served_on}' and event_time < '{served_on}T00:00:00+00:00'",
    }


def figures_of(rows: Sequence[dict[str, Any]], users: Sequence[str], did: Behaviour, k: int) -> dict[str, int]:
    """Figures for the commit: rows, users, how many of them are new, got fewer than ``k`` or nothing, and the titles shown."""
    got: dict[str, int] = {}
    for row in rows:
        got[row["user_id"]] = row["rank"]
    return {
        "rows": len(rows),
        "users": len(users),
        "new_users": sum(len(did.of(user)[0].items) == 0 for user in range(len(users))),
        "users_with_fewer": sum(0 < got.get(user, 0) < k for user in users),
        "users_without": sum(user not in got for user in users),
        "items_shown": len({row["item"] for row in rows}),
    }


if __name__ == "__main__":
    from schemas.cli import run_command

    raise SystemExit(run_command(main))
