"""The summary of the evidence in Markdown, for the approval task and the registry."""

import json
from typing import Any
from urllib.parse import quote

from ml.promotion.evidence import JUDGED_BY
from ml.promotion.report import FILE
from schemas.pages.markdown import plain
from schemas.runtime.masking import without_login
from schemas.runtime.settings import Settings


def links(settings: Settings, version: str, evidence: dict[str, Any]) -> str:
    """Links to the report, the run and the version in MLflow.

    Args:
        settings: for MLflow.
        version: number of the challenger.
        evidence: of the challenger.
    """
    if not settings.mlflow_tracking_uri.startswith("http"):
        return f"Run {plain(evidence['run_id'])}, version {plain(version)}."
    where = without_login(settings.mlflow_tracking_uri).rstrip("/") + "/#"
    run = f"{where}/experiments/{quote(evidence['experiment_id'])}/runs/{quote(evidence['run_id'])}"
    return (
        f"In MLflow: [the report]({run}/artifacts/{FILE}) · [the run]({run}) · "
        f"[version {plain(version)}]({where}/models/{quote(settings.registered_model)}/versions/{quote(version)})"
    )


def markdown(evidence: dict[str, Any]) -> str:
    """The evidence as a Markdown table, best by validation first."""
    lines = [
        f"**{plain(evidence['recipe'])}**, fitted on data from before {plain(evidence['train_until'])}, tested on the "
        f"{evidence['cases']} next events of {evidence['users']} users after it.",
        "",
        "| model | validation NDCG@10 | test NDCG@10 | test hit rate@10 | lead of the challenger in NDCG@10 (95 % interval) |",
        "|---|---|---|---|---|",
    ]
    models = evidence["models"]
    for name in sorted(models, key=lambda n: -models[n]["validation"][JUDGED_BY]):
        row = models[name]
        shown = f"**{plain(name)}**" if name == evidence["recipe"] else plain(name)
        lines.append(_row(shown, f"{row['validation'][JUDGED_BY]:.4f}", row["test"], row["lead"]))
    champion = evidence["champion"]
    if champion is not None:
        shown = f"champion: version {plain(champion['version'])}, {plain(champion['recipe'])}"
        lines.append(_row(shown, "", champion["test"], champion["lead"]))
    lines += by_slice(evidence)
    lines += ["", "There is no champion yet."] if champion is None else [""]
    lines.append(f"Code {plain(evidence['code_version'])}; snapshots {plain(json.dumps(evidence['snapshots']))}.")
    return "\n".join(lines)


def by_slice(evidence: dict[str, Any]) -> list[str]:
    """The lead over the champion, or over popularity without one, for each slice."""
    champion = evidence["champion"]
    name, rival = ("popularity", evidence["models"]["popularity"]) if champion is None else ("the champion", champion)
    if rival["lead"] is None:
        return []
    slices = rival["lead"].get("slices", {}).items()
    rows = [f"| {plain(slice_name.replace('_', ' '))} | {lead['users']:.0f} | {_ahead(lead)} |" for slice_name, lead in slices]
    return ["", f"| test queries | users | lead over {name} in NDCG@10 |", "|---|---|---|", *rows] if rows else []


def _ahead(lead: dict[str, float]) -> str:
    return f"{lead['difference']:+.4f} ({lead['low']:+.4f} to {lead['high']:+.4f})"


def _row(name: str, validation: str, test: dict[str, float], lead: dict[str, float] | None) -> str:
    ahead = "" if lead is None else _ahead(lead)
    return f"| {name} | {validation} | {test[JUDGED_BY]:.4f} | {test['hit_rate_at_10']:.4f} | {ahead} |"
