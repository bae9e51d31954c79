"""All figures of the demonstration in one dictionary, the content of ``var/demo.json`` and of the report."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from local.demo import measurements
from local.demo.mlflow_client import Tracking
from local.demo.plan import NAMES, RAW_IDS, Plan
from local.demo.raw_id_scan import scan
from local.demo.user_examples import stories
from local.demo.verify_defects import read_planted, verify
from local.movielens import dataset
from local.shop import layout
from local.stack.__main__ import Services
from local.stack.airflow_client import AirflowClient, Run
from schemas.lake.lake import Lake, open_lake
from schemas.pages.table_docs import write_docs
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.mlflow_rest import TAG
from schemas.runtime.settings import Settings
from schemas.runtime.version import code_version


def gather(
    settings: Settings,
    services: Services,
    airflow: AirflowClient,
    tracking: Tracking,
    runs: Sequence[Run],
    plan: Plan,
) -> dict[str, Any]:
    """Collect all figures.

    Args:
        settings: the settings.
        services: the running services.
        airflow: a client of Airflow.
        tracking: a reader of MLflow.
        runs: the runs of the demonstration, in the order in which they ended.
        plan: the demonstration.
    """
    lake, served_on = open_lake(settings), plan.served_on
    write_docs(settings.var / "docs", lake)
    days = measurements.accounts(lake)
    return {
        "code_version": code_version(),
        "data": {
            "name": "MovieLens 100K and a simulated shop",
            "command": plan.command,
            "sources": NAMES,
            "effort": plan.effort,
            "terms": dataset.TERMS,
            "licence": dataset.LICENCE,
            "history_since": dataset.HISTORY_SINCE.isoformat(),
            "first_day": dataset.FIRST_DAY.isoformat(),
            "last_day": plan.last_day.isoformat(),
        },
        "tables": measurements.tables(lake),
        "accounts": {"days": days, "total": measurements.total(days)},
        "planted": planted(settings, lake),
        "behaviour": measurements.behaviour(lake),
        "shop_days": measurements.outcomes_by_day(lake, layout.SOURCE, dataset.HISTORY_ARRIVAL),
        "sessions": measurements.sessions(lake),
        "training": training(tracking),
        "advertising": measurements.advertising(lake, served_on),
        "own_items": measurements.own_items(lake, served_on),
        "stories": stories(lake, served_on, served_on - timedelta(days=1)),
        "audits": measurements.audits(lake),
        "privacy": asdict(scan(settings.var, [needle.encode() for needle in RAW_IDS])),
        "stages": measurements.stages(airflow, runs),
        "links": measurements.links(settings, services.airflow_url, services.mlflow_url),
    }


def truths(landing: Path) -> dict[str, Path]:
    """By source, the record of its planted lines."""
    folder = dataset.truth_folder(landing)
    return {dataset.SOURCE: folder / "planted.json", layout.SOURCE: folder / "shop.json"}


def planted(settings: Settings, lake: Lake) -> list[dict[str, Any]]:
    """The outcome of the planted defects, by kind.

    Args:
        settings: the settings; the records of the defects are next to the landing zone.
        lake: the lake with the events and rejects.
    """
    lines = [line for path in truths(settings.landing_dir).values() for line in read_planted(path)]
    since = f"arrived_on >= '{dataset.FIRST_DAY}'"
    events = lake.arrow("events", since, columns=["source_file", "line_number", "days_late"])
    rejects = lake.arrow("rejects", since, columns=["source_file", "line_number", "reasons"])
    return [asdict(finding) for finding in verify(lines, events, rejects)]


def training(tracking: Tracking) -> dict[str, Any]:
    """The champion and all models of its training, the best validation NDCG@10 first.

    ``lead`` is the champion's advantage in NDCG@10 on the same test users, with a 95 % confidence interval.

    Raises:
        ClickwrightError: no version has the alias `champion`.
    """
    champion = tracking.champion()
    if champion is None:
        raise ClickwrightError(f"no version of {tracking.model} is the champion; in MLflow at {tracking.url}; train one")
    evidence = json.loads(champion["tags"].get(f"{TAG}evidence") or "{}")
    compared = evidence.get("models", {})
    models = []
    for run in tracking.siblings(champion["run_id"]):
        recipe = run["tags"].get(f"{TAG}recipe") or run["name"]
        models.append(
            {
                "recipe": recipe,
                "champion": run["run_id"] == champion["run_id"],
                "run_id": run["run_id"],
                "url": tracking.run_url(run),
                "seconds": run["seconds"],
                "params": run["params"],
                "metrics": dict(sorted(run["metrics"].items())),
                "lead": (compared.get(recipe) or {}).get("lead"),
            }
        )
    models.sort(key=lambda model: (-model["metrics"].get("validation_ndcg_at_10", 0.0), model["recipe"]))
    return {"champion": champion, "models": models}
