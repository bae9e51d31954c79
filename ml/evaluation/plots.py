"""Figures of a training, drawn off screen in a few shared colours."""

from collections.abc import Mapping
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ml.evaluation.slices import ACTIVITY
from schemas.runtime.terminal import printable

matplotlib.rcParams["text.parse_math"] = False  # names in the data may hold dollar signs, which begin formulas otherwise

INK, ACCENT, QUIET, GRID = "#1f2933", "#d9480f", "#8896a5", "#e4e7eb"


LONGEST_NAME = 60


def named(text: str) -> str:
    """A name from the data as a label: on one line, and short enough to leave room for the plot.

    >>> named("Under $10\\n to $20"), len(named("x" * 5000))
    ('Under $10 to $20', 60)
    """
    said = printable(" ".join(text.split()))
    return said if len(said) <= LONGEST_NAME else f"{said[: LONGEST_NAME - 1]}…"


def blank(title: str, width: float = 7.2, height: float = 4.0) -> tuple[Figure, Axes]:
    """An empty figure in the common style.

    Args:
        title: of the figure.
        width, height: inches.
    """
    figure, axes = plt.subplots(figsize=(width, height), dpi=140, layout="constrained")
    axes.set_title(named(title), loc="left", fontsize=12, fontweight="bold", color=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(QUIET)
    axes.tick_params(colors=INK, length=0, labelsize=9)
    axes.set_axisbelow(True)
    return figure, axes


def learning_curve(epochs: list[dict[str, float]], title: str = "Learning curve") -> Figure:
    """Training loss and validation NDCG@10 by epoch.

    Args:
        epochs: one row per epoch with ``epoch``, ``loss``, and perhaps ``validation_ndcg_at_10``.
    """
    figure, left = blank(title)
    x = [row["epoch"] for row in epochs]
    left.grid(axis="y", color=GRID)
    left.plot(x, [row["loss"] for row in epochs], color=QUIET, linewidth=2, marker="o", markersize=4)
    left.set_xlabel("epoch", color=INK)
    left.set_ylabel("training loss (nats)", color=QUIET)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    judged = [row for row in epochs if "validation_ndcg_at_10" in row]
    if judged:
        right = left.twinx()
        right.spines[:].set_visible(False)
        right.tick_params(colors=ACCENT, length=0, labelsize=9)
        values = [row["validation_ndcg_at_10"] for row in judged]
        right.plot([row["epoch"] for row in judged], values, color=ACCENT, linewidth=2, marker="o", markersize=4)
        right.set_ylabel("validation NDCG@10", color=ACCENT)
        top = max(judged, key=lambda row: row["validation_ndcg_at_10"])
        right.axvline(top["epoch"], color=ACCENT, linewidth=1, linestyle=":")
    return figure


def by_slice(metrics: Mapping[str, float], recipe: str) -> Figure:
    """NDCG@10 on the test cases by length of the user's history.

    Args:
        metrics: of one evaluation, see :func:`ml.evaluation.evaluate.evaluate`.
        recipe: named in the title.
    """
    figure, axes = blank(f"{recipe}: test NDCG@10 by length of history")
    names = [name for name in ACTIVITY if metrics.get(f"{name}_cases")]
    values = [metrics[f"{name}_ndcg_at_10"] for name in names]
    bars = axes.bar(names, values, color=ACCENT, width=0.6)
    axes.bar_label(bars, [f"{value:.3f}" for value in values], padding=3, fontsize=9, color=INK)
    axes.set_xticks(range(len(names)), [_label(name, metrics) for name in names])
    axes.margins(y=0.18)
    axes.grid(axis="y", color=GRID)
    if "ndcg_at_10" in metrics:
        axes.axhline(metrics["ndcg_at_10"], color=INK, linewidth=1, linestyle="--")
        axes.annotate(
            f"all cases\n{metrics['ndcg_at_10']:.3f}", (1, metrics["ndcg_at_10"]), (5, 0), ("axes fraction", "data"),
            "offset points", va="center", fontsize=8, color=INK,
        )  # fmt: skip
    return figure


def _label(name: str, metrics: Mapping[str, float]) -> str:
    low, high = ACTIVITY[name]
    events = "no events" if high == 0 else f"{low} or more" if high >= 10**9 else f"{low} to {high} events"
    return f"{name}\n{events}\n{metrics[f'{name}_cases']:.0f} cases"


def comparison(rows: list[dict[str, Any]], chosen: str) -> Figure:
    """Validation and test NDCG@10 of all models, the chosen one in colour.

    Args:
        rows: one per model with ``name``, ``validation`` (None if it was not fitted here) and ``test``.
        chosen: name of the model to highlight.
    """
    figure, axes = blank("NDCG@10, test (bar) and validation (dot)", height=0.62 * len(rows) + 1.2)
    ordered = sorted(rows, key=lambda row: float(row["test"]))
    places = range(len(ordered))
    axes.barh(
        places,
        [row["test"] for row in ordered],
        color=[ACCENT if row["name"] == chosen else "#c3ccd6" for row in ordered],
        height=0.6,
    )
    for place, row in enumerate(ordered):
        end = max(row["test"], row["validation"] or 0.0)
        axes.annotate(
            f"{row['test']:.4f}", (end, place), (7, 0), textcoords="offset points", va="center", fontsize=9, color=INK
        )
    seen = [(row["validation"], place) for place, row in enumerate(ordered) if row["validation"] is not None]
    axes.scatter([x for x, _ in seen], [y for _, y in seen], s=26, color=INK, zorder=3)
    axes.set_yticks(places, [named(row["name"]) for row in ordered])
    axes.grid(axis="x", color=GRID)
    axes.margins(x=0.14)
    return figure


def close(figure: Figure) -> None:
    """Free a figure's memory."""
    plt.close(figure)
