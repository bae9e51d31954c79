"""The report of a challenger's evidence: one HTML file with plots, readable in MLflow and without a network.

``ml.register_challenger`` writes it, and ``ml.gate`` writes it again with its verdict. To write it by hand, from the evidence
in the training's folder: ``python -m ml.render_evidence --run RUN --out evidence.html``
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import schemas
from ml.evaluation.slices import ACTIVITY, ITEM_GROUPS
from ml.promotion.conditions import TRIED, Condition, conditions
from ml.promotion.evidence import BY_QUERY, JUDGED_BY, OF_LISTS
from ml.promotion.evidence_types import in_present_words

if TYPE_CHECKING:
    from mlflow import MlflowClient

FILE = "evidence.html"
TEMPLATES = (Path(__file__).parent / "templates", Path(schemas.__file__).parent / "pages" / "templates")
CURVE = "epoch/"
LABELS = {
    "ndcg": "NDCG@10",
    "hit_rate": "hit rate@10",
    "mrr": "MRR@10",
    "coverage": "catalogue coverage",
    "popularity_bias": "popularity bias",
    "exposure_gap": "exposure gap",
    "diversity": "diversity",
    "novelty": "novelty (bits)",
    "personalisation": "personalisation",
}
Epochs = list[dict[str, float]]


def render(
    version: str, evidence: dict[str, Any], curves: Mapping[str, Epochs], verdict: Mapping[str, Any] | None = None
) -> str:
    """Render the page.

    Args:
        version: the challenger's version.
        evidence: of :func:`ml.promotion.evidence.gather`.
        curves: metrics of each epoch, by recipe.
        verdict: of the gate, if it has judged: ``refused`` (a message or None), and for a pass the measurements.
    """
    evidence = in_present_words(evidence)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["groups"] = _groups
    return environment.get_template("evidence.html.j2").render(
        version=version,
        e=evidence,
        rows=rows_of(evidence),
        conditions=asked(version, evidence),
        tried=TRIED,
        verdict=verdict,
        by_query=BY_QUERY,
        of_lists=OF_LISTS,
        labels=LABELS,
        slices=words_for_slices(),
        rival="popularity" if evidence["champion"] is None else f"the champion, version {evidence['champion']['version']}",
        plots=draw(evidence, curves),
    )


def _groups(value: float) -> str:
    return f"{value:,.0f}"


def asked(version: str, evidence: dict[str, Any]) -> list[Condition]:
    """The gate's conditions, with the champion of the evidence as the present one.

    Args:
        version: the challenger's version.
        evidence: of the challenger.
    """
    rival = evidence["champion"]
    return list(conditions(version, evidence, rival and rival["version"], rival and rival["digest"]))


def rows_of(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    """The models of the evidence, best by validation first and the champion last, each with a ``name``."""
    models = evidence["models"]
    names = sorted(models, key=lambda name: -models[name]["validation"][JUDGED_BY])
    rows = [{"name": name, "chosen": name == evidence["recipe"], **models[name]} for name in names]
    champion = evidence["champion"]
    if champion is not None:
        named = f"champion: {champion['recipe']}, version {champion['version']}"
        rows.append({"name": named, "chosen": False, "validation": {}, **champion})
    return rows


def words_for_slices() -> dict[str, str]:
    """A description of each protected slice."""
    words = {"new_items": "items without training events"}
    for name, (low, high) in ACTIVITY.items():
        events = "no events" if high == 0 else f"{low} or more events" if high >= 10**9 else f"{low} to {high} events"
        words[name] = f"{name}: {events} before"
    return words


def draw(evidence: dict[str, Any], curves: Mapping[str, Epochs]) -> dict[str, Any]:
    """The plots by name, as SVG.

    Args:
        evidence: of the challenger.
        curves: metrics of each epoch, by recipe.
    """
    from ml.evaluation import plots
    from ml.promotion import report_plots
    from ml.promotion.report_plots import as_svg

    rows = rows_of(evidence)
    leads = [{"name": row["name"], **row["lead"]} for row in reversed(rows) if row["lead"] is not None]
    words = words_for_slices()
    rival = evidence["champion"] or evidence["models"]["popularity"]
    by_slice = [{"name": words[name], **lead} for name, lead in ((rival["lead"] or {}).get("slices", {})).items()]
    by_category = [{"name": name, **lead} for name, lead in evidence["categories"].items()]
    calibrated = {row["name"]: row["calibration"] for row in rows if row["calibration"] is not None}
    shares = {row["name"]: _shares(row["test"], "exposure_{}_at_10") for row in rows}
    shares["the right items"] = _shares(rows[0]["test"], "answers_{}")
    found = {
        "leads": as_svg(report_plots.forest(leads, "Lead over every other model"), "leads over the other models")
        if leads
        else "",
        "slices": as_svg(report_plots.forest(by_slice, "By history and by item"), "leads by slice") if by_slice else "",
        "categories": as_svg(report_plots.forest(by_category, "By category of the right item"), "leads by category")
        if by_category
        else "",
        "exposure": as_svg(report_plots.exposure(shares), "share of the exposure by item group"),
        "calibration": as_svg(report_plots.reliability(calibrated), "reliability of the probabilities") if calibrated else "",
    }
    learnt = {name: rows for name, rows in curves.items() if any("loss" in row for row in rows)}
    learning = [as_svg(plots.learning_curve(rows, name), f"learning curve of {name}") for name, rows in learnt.items()]
    return {**found, "learning": learning}


def _shares(test: Mapping[str, float], named: str) -> dict[str, float]:
    return {group: test[named.format(group)] for group in ITEM_GROUPS}


def learning_curves(client: "MlflowClient", evidence: dict[str, Any]) -> dict[str, Epochs]:
    """Metrics that each run logged per epoch of its first fit, by recipe.

    Args:
        client: of MLflow.
        evidence: names the runs.
    """
    curves: dict[str, Epochs] = {}
    for name, row in evidence["models"].items():
        epochs: dict[int, dict[str, float]] = {}
        for metric in client.get_run(row["run_id"]).data.metrics:
            if metric.startswith(CURVE):
                for point in client.get_metric_history(row["run_id"], metric):
                    epochs.setdefault(point.step, {"epoch": float(point.step)})[metric.removeprefix(CURVE)] = point.value
        if epochs:
            curves[name] = [epochs[step] for step in sorted(epochs)]
    return curves


def log_report(
    client: "MlflowClient", version: str, evidence: dict[str, Any], verdict: Mapping[str, Any] | None = None
) -> None:
    """Log the page with the challenger's run; it replaces an earlier page.

    Args:
        client: of MLflow.
        version: the challenger's version.
        evidence: of the challenger.
        verdict: of the gate, if it has judged.
    """
    page = render(version, evidence, learning_curves(client, evidence), verdict)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        path.write_text(page, encoding="utf-8")
        client.log_artifact(evidence["run_id"], str(path))
