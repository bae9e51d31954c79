"""Plots of the evidence as SVG in the colours of the page, for light mode, dark mode and print."""

import html
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ml.evaluation import plots
from ml.evaluation.plots import ACCENT, GRID, INK, QUIET
from ml.evaluation.slices import ITEM_GROUPS
from schemas.runtime.terminal import printable

PAPER = "#ffffff"
COLOURS = {PAPER: "var(--paper)", INK: "var(--ink)", ACCENT: "var(--accent)", QUIET: "var(--soft)", GRID: "var(--line)"}
"""Names of the plots' colours in the page's style sheet."""


def as_svg(figure: Figure, alt: str) -> str:
    """The figure as an SVG element, the same bytes for the same figure; closes the figure.

    Args:
        figure: to convert.
        alt: description for screen readers.
    """
    text = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "clickwright"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    plots.close(figure)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="[a-zA-Z0-9]+_\d+"', "", svg)  # ids of parts: several plots share a page
    svg = re.sub(r"(font: (?:\d+ )?[\d.]+px) [^;\"]*", r"\1 system-ui, sans-serif", svg)
    for colour, name in COLOURS.items():
        svg = svg.replace(colour, name)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(printable(alt))}" ', 1)


def forest(rows: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Leads with their intervals, one below the other, over a line at zero.

    Args:
        rows: ``name``, ``difference``, ``low``, ``high`` and ``queries``, top row first.
        title: of the plot.
    """
    figure, axes = plots.blank(title, height=0.36 * len(rows) + 1.1)
    places = list(range(len(rows)))[::-1]
    middles = [row["difference"] for row in rows]
    axes.axvline(0, color=INK, linewidth=1)
    axes.hlines(places, [row["low"] for row in rows], [row["high"] for row in rows], color=ACCENT, linewidth=2)
    axes.scatter(middles, places, color=ACCENT, s=34, zorder=3)
    for place, row in zip(places, rows, strict=True):
        for said, right in ((f"{row['difference']:+.4f}", 48), (f"{row['queries']:,} queries", 134)):
            axes.annotate(
                said, (1, place), (right, 0), ("axes fraction", "data"), "offset points",
                va="center", ha="right", fontsize=8.5, color=INK,
            )  # fmt: skip
    axes.set_yticks(places, [plots.named(row["name"]) for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("NDCG@10: challenger minus other, 95 % interval over users", color=INK, fontsize=9)
    axes.grid(axis="x", color=GRID)
    return figure


def reliability(curves: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Observed hit rate by predicted hit probability.

    Args:
        curves: calibration of :func:`ml.promotion.evidence.calibration`, by the model's name.
    """
    figure, axes = plots.blank("Predicted and observed hits among ten items", height=4.2)
    top = max(max(bin_[:2]) for curve in curves.values() for bin_ in curve["bins"]) * 1.05
    axes.plot([0, top], [0, top], color=QUIET, linewidth=1, linestyle="--", label="perfect calibration")
    for (name, curve), colour in zip(curves.items(), (ACCENT, INK, QUIET), strict=False):
        said, came, _ = zip(*curve["bins"], strict=True)
        label = f"{plots.named(name)}: calibration error {curve['error']:.3f}"
        axes.plot(said, came, color=colour, linewidth=2, marker="o", markersize=5, label=label)
    axes.set_xlabel("predicted probability of a hit among ten items", color=INK, fontsize=9)
    axes.set_ylabel("share of queries with a hit", color=INK, fontsize=9)
    axes.grid(color=GRID)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, loc="upper left")
    return figure


def exposure(shares: Mapping[str, Mapping[str, float]]) -> Figure:
    """Each item group's share of the exposure, one bar per model.

    Args:
        shares: each group's share, by the model's name.
    """
    figure, axes = plots.blank("Share of the exposure by item group", height=0.42 * len(shares) + 1.2)
    places = list(range(len(shares)))[::-1]
    begin = [0.0] * len(shares)
    for group, colour, ink in zip(ITEM_GROUPS, (ACCENT, QUIET, GRID), (PAPER, PAPER, INK), strict=True):
        widths = [share[group] for share in shares.values()]
        axes.barh(places, widths, left=begin, color=colour, height=0.62, label=f"{group} items")
        for place, width, left in zip(places, widths, begin, strict=True):
            if width >= 0.06:
                axes.text(left + width / 2, place, f"{width:.0%}", ha="center", va="center", fontsize=8.5, color=ink)
        begin = [left + width for left, width in zip(begin, widths, strict=True)]
    axes.set_yticks(places, [plots.named(name) for name in shares])
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, ncols=3, loc="upper left", bbox_to_anchor=(0, 0))
    return figure
