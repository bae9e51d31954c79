"""Plots the growth of Clickwright from ``bench.json``: processor time and memory by the number of events.

``python -m tests.benchmarks.growth_plot var/bench.json``
"""

import statistics
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from schemas.runtime.settings import ROOT
from tests.benchmarks.rows import GROWTH, Book, Row

PICTURE = ROOT / "docs" / "pictures" / "growth.png"
INK, QUIET, TIME, MEMORY = "#1f2933", "#9aa5b1", "#2563eb", "#d9480f"


def middle(rows: list[Row], name: str) -> float:
    return statistics.median(getattr(row, name) for row in rows)


def panel(axes: Axes, sizes: list[float], values: list[float], title: str, colour: str, form: str) -> None:
    axes.plot(sizes, values, color=colour, linewidth=2.2, marker="o", markersize=7, clip_on=False, zorder=3)
    axes.fill_between(sizes, values, color=colour, alpha=0.08)
    for size, value in zip(sizes, values, strict=True):
        axes.annotate(
            format(value, form), (size, value), (0, 10), textcoords="offset points", ha="center", color=INK, fontsize=10
        )
    axes.set_title(title, loc="left", fontsize=12, color=INK, pad=14)
    axes.set_xlabel("million events", color=INK)
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.set_xlim(0, max(sizes) * 1.05)
    axes.set_ylim(0, max(values) * 1.3)
    axes.grid(axis="y", color=QUIET, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(QUIET)
    axes.tick_params(colors=INK, length=0)


def draw(book: Book, path: Path = PICTURE) -> None:
    """Plot seconds per million events, and peak memory. Flat curves mean linear work and bounded memory.

    Args:
        book: the measurements.
        path: the file of the plot.
    """
    rows = [row for row in book.of(GROWTH) if not row.failed]
    by_size = {size: [row for row in rows if row.events == size] for size in sorted({row.events for row in rows})}
    sizes = [size / 1e6 for size in by_size]
    seconds = [middle(found, "cpu_seconds") / (size / 1e6) for size, found in by_size.items()]
    memory = [middle(found, "peak_mb") / 1000 for found in by_size.values()]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), dpi=160)
    panel(left, sizes, seconds, "Processor seconds per million events, including start-up", TIME, ".2f")
    panel(right, sizes, memory, "Peak memory of all processes, GB", MEMORY, ".1f")
    figure.tight_layout(w_pad=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, facecolor="white")


if __name__ == "__main__":
    draw(Book(Path(sys.argv[1])))
