"""The figures of the demonstration, read from the lake, its commits and Airflow.

All functions return plain dictionaries and lists, the form of ``var/demo.json`` and the report.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from statistics import median
from typing import Any

import pyarrow.compute as pc

from local.demo.driver import name
from local.stack.airflow_client import AirflowClient, Run
from schemas.contract import load_contract, table_names
from schemas.lake.lake import Lake, row_counts
from schemas.publishing.audit_record import read_audit
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import Settings

SHOP_KINDS = ("impression", "click", "view", "like", "comment", "cart", "purchase", "search")
ADVERTISEMENT = "Advertisement"
"""The category of the simulated shop's ads."""


def tables(lake: Lake) -> list[dict[str, Any]]:
    """Rows, partitions and current snapshot of every table, from metadata."""
    rows = row_counts(lake)
    found = []
    for table in table_names():
        contract = load_contract(table)
        by = contract.partition_by[0]
        partitions = lake.partitions(table, by) if table in rows else []
        found.append(
            {
                "table": table,
                "what": contract.description,
                "rows": rows.get(table, 0),
                "partitioned_by": by,
                "partitions": len(partitions),
                "snapshot": lake.snapshot(table),
            }
        )
    return found


def accounts(lake: Lake) -> list[dict[str, Any]]:
    """The accounting identity of every arrival day: lines read = events + rejects + duplicates.

    The newest `clean` of the day counted the lines and duplicates and noted them in its commit. The events and rejects are
    counted in the current tables. ``balanced`` says whether the identity holds.
    """
    noted: dict[str, dict[str, Any]] = {}
    for commit in lake.publications("events"):
        for arrived_on in commit.replaced.get("arrived_on", []):
            noted.setdefault(arrived_on, {**commit.notes, "snapshot": commit.snapshot_id, "run": commit.run})
    events, rejects = (_rows_by_day(lake, table) for table in ("events", "rejects"))
    found = []
    for arrived_on, notes in sorted(noted.items()):
        line = {
            "arrived_on": arrived_on,
            "lines": notes["lines_read"],
            "events": events[arrived_on],
            "rejects": rejects[arrived_on],
            "duplicates": notes["duplicates"],
            "late_events": notes["late_events"],
            "history": bool(notes.get("history")),
            "reasons": notes["reasons"],
            "run": notes["run"],
            "snapshot": notes["snapshot"],
        }
        line["balanced"] = line["lines"] == line["events"] + line["rejects"] + line["duplicates"]
        found.append(line)
    return found


def _rows_by_day(lake: Lake, table: str) -> Counter[str]:
    if not lake.exists(table):
        return Counter()
    days = lake.arrow(table, columns=["arrived_on"])["arrived_on"]
    return Counter({str(e["values"]): e["counts"] for e in pc.value_counts(days).to_pylist()})


def total(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The sum of all arrival days.

    >>> day = {"lines": 9, "events": 7, "rejects": 1, "duplicates": 1, "late_events": 0, "reasons": {}, "balanced": True}
    >>> total([day, day])["events"]
    14
    """
    counted = ("lines", "events", "rejects", "duplicates", "late_events")
    reasons: Counter[str] = Counter()
    for line in lines:
        reasons.update(line["reasons"])
    return {
        **{figure: sum(line[figure] for line in lines) for figure in counted},
        "reasons": dict(reasons.most_common()),
        "balanced": all(line["balanced"] for line in lines),
    }


def sessions(lake: Lake) -> dict[str, Any]:
    """The number and the length of the sessions."""
    rows = lake.arrow("sessions", columns=["closed_on", "user_id", "n_events", "duration_s"])
    events, seconds = rows["n_events"].to_pylist(), rows["duration_s"].to_pylist()
    days = Counter(str(day) for day in rows["closed_on"].to_pylist())
    return {
        "sessions": rows.num_rows,
        "users": pc.count_distinct(rows["user_id"]).as_py(),
        "events": sum(events),
        "median_events": median(events) if events else 0,
        "median_minutes": round(median(seconds) / 60, 1) if seconds else 0,
        "longest_minutes": round(max(seconds, default=0) / 60, 1),
        "closed_on": dict(sorted(days.items())),
    }


def behaviour(lake: Lake) -> list[dict[str, Any]]:
    """Events by source and kind, the most frequent kind of a source first."""
    rows = lake.arrow("events", columns=["source", "event_type"])
    counts = rows.group_by(["source", "event_type"]).aggregate([([], "count_all")]).to_pylist()
    counts.sort(key=lambda row: (row["source"], -row["count_all"], row["event_type"]))
    return [{"source": row["source"], "kind": row["event_type"], "events": row["count_all"]} for row in counts]


def outcomes_by_day(lake: Lake, source: str, history: date) -> list[dict[str, Any]]:
    """For each arrival day of a shop the counts of displays and of deeds, and two rates made from them.

    The click-through rate is clicks / impressions, and the conversion rate is purchases / clicks, of events as they were
    counted; None without impressions or clicks. Ads are the items of the category Advertisement.

    Args:
        lake: the lake.
        source: the name of the source.
        history: the arrival day of its history.
    """
    rows = lake.arrow("events", f"source = '{source}'", columns=["arrived_on", "event_type", "item_id"])
    ads = _ads(lake)
    counts: dict[date, Counter[str]] = {}
    for day, kind, item in zip(*(rows[column].to_pylist() for column in rows.column_names), strict=True):
        of_day = counts.setdefault(day, Counter())
        of_day[kind] += 1
        of_day[f"ad_{kind}"] += item in ads
    return [
        {
            "arrived_on": str(day),
            "history": day == history,
            **{kind: of_day[kind] for kind in SHOP_KINDS},
            "ad_impression": of_day["ad_impression"],
            "ad_click": of_day["ad_click"],
            "click_through": rate(of_day["click"], of_day["impression"]),
            "conversion": rate(of_day["purchase"], of_day["click"]),
        }
        for day, of_day in sorted(counts.items())
    ]


def rate(part: int, whole: int) -> float | None:
    """A share; None of nothing.

    >>> rate(1, 4), rate(0, 0)
    (0.25, None)

    Args:
        part: the counted part.
        whole: the whole.
    """
    return part / whole if whole else None


def _ads(lake: Lake) -> set[str]:
    newest = lake.partitions("items", "as_of")[-1]
    rows = lake.arrow("items", f"as_of = '{newest}'", columns=["item_id", "categories"]).to_pylist()
    return {row["item_id"] for row in rows if ADVERTISEMENT in (row["categories"] or ())}


def sources_of_users(lake: Lake) -> dict[str, str]:
    """The source of each user; people of several sources are different users."""
    pairs = lake.arrow("events", columns=["user_id", "source"]).group_by(["user_id", "source"]).aggregate([]).to_pylist()
    return {row["user_id"]: row["source"] for row in pairs}


def sources_of_items(lake: Lake) -> dict[str, str]:
    """The source of each item of the newest catalogue, by the folder of the file that described it."""
    newest = lake.partitions("items", "as_of")[-1]
    rows = lake.arrow("items", f"as_of = '{newest}'", columns=["item_id", "source_file"]).to_pylist()
    return {row["item_id"]: row["source_file"].split("/")[0].removesuffix("-items") for row in rows}


def own_items(lake: Lake, served_on: date) -> list[dict[str, Any]]:
    """By source of the users, how many of their recommended items come from the same source.

    Args:
        lake: the lake.
        served_on: the day of the recommendations.
    """
    users, items = sources_of_users(lake), sources_of_items(lake)
    rows = lake.arrow("recommendations", f"served_on = '{served_on}'", columns=["user_id", "item_id"])
    people: dict[str, set[str]] = {}
    counts: Counter[tuple[str, bool]] = Counter()
    for user, item in zip(rows["user_id"].to_pylist(), rows["item_id"].to_pylist(), strict=True):
        people.setdefault(users[user], set()).add(user)
        counts[users[user], items.get(item) == users[user]] += 1
    return [
        {"source": source, "users": len(people[source]), "own": counts[source, True], "other": counts[source, False]}
        for source in sorted(people)
    ]


def advertising(lake: Lake, served_on: date) -> dict[str, Any]:
    """The recommendations and the ad copy of one day.

    Args:
        lake: the lake.
        served_on: the day.
    """
    where = f"served_on = '{served_on}'"
    recommended = lake.arrow("recommendations", where, columns=["user_id", "item_id", "reason", "model_version"])
    copy = lake.arrow("creatives", where, columns=["origin", "language_model"]) if lake.exists("creatives") else None
    return {
        "served_on": str(served_on),
        "rows": recommended.num_rows,
        "users": pc.count_distinct(recommended["user_id"]).as_py(),
        "titles": pc.count_distinct(recommended["item_id"]).as_py(),
        "model_versions": sorted(set(recommended["model_version"].to_pylist())),
        "creatives": copy.num_rows if copy else 0,
        "creatives_by_origin": dict(Counter(copy["origin"].to_pylist())) if copy else {},
        "language_models": sorted(set(copy["language_model"].to_pylist())) if copy else [],
    }


def stages(airflow: AirflowClient, runs: Iterable[Run]) -> list[dict[str, Any]]:
    """The duration of each task of each run, in seconds.

    Args:
        airflow: the client; Airflow measured the durations.
        runs: the runs.
    """
    found = []
    for run in runs:
        tasks: list[dict[str, Any]] = [
            {"task": task.task_id, "state": task.state, "seconds": round(task.seconds or 0, 1)}
            for task in airflow.tasks(run.dag_id, run.run_id)
        ]
        found.append(
            {
                "workflow": run.dag_id,
                "run": run.run_id,
                "name": name(run),
                "state": run.state,
                "seconds": round(sum(task["seconds"] for task in tasks), 1),
                "tasks": tasks,
            }
        )
    return found


def by_stage(runs: Iterable[dict[str, Any]]) -> dict[tuple[str, str], float]:
    """Seconds by workflow and stage (a task or a task group), summed over all runs; without stages below one second.

    >>> tasks = [{"task": "clean.build", "seconds": 20.0}, {"task": "clean.audit", "seconds": 5.0}]
    >>> by_stage([{"workflow": "behaviour_day", "tasks": tasks}])
    {('behaviour_day', 'clean'): 25.0}
    """
    seconds: dict[tuple[str, str], float] = {}
    for run in runs:
        for task in run["tasks"]:
            stage = (run["workflow"], task["task"].split(".")[0])
            seconds[stage] = seconds.get(stage, 0.0) + task["seconds"]
    return {stage: value for stage, value in seconds.items() if value >= 1}


def audits(lake: Lake) -> list[dict[str, Any]]:
    """The newest audit of every published table: the number of rules, and its Data Docs page."""
    found = []
    for table in table_names():
        newest = next(iter(lake.publications(table)), None)
        if newest is None:
            continue
        try:
            record = read_audit(newest.job, newest.run)
        except ClickwrightError:
            continue  # published on another machine, or the staged files were removed
        rules = record.tables.get(table, [])
        found.append(
            {
                "table": table,
                "job": newest.job,
                "run": newest.run,
                "rules": len(rules),
                "broken": sum(not rule.passed for rule in rules),
                "docs": record.docs,
            }
        )
    return found


def links(settings: Settings, airflow_url: str, mlflow_url: str) -> dict[str, str]:
    """The addresses and folders for further reading.

    Args:
        settings: the settings.
        airflow_url: the address of Airflow.
        mlflow_url: the address of MLflow.
    """
    return {
        "airflow": airflow_url,
        "mlflow": mlflow_url,
        "tables": (settings.var / "docs" / "index.html").as_uri(),
        "audits": str(settings.audits),
        "lake": str(settings.lake_dir),
        "logs": str(settings.logs),
    }
