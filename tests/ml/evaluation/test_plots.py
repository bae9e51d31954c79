"""Plots show names from the data as they are: matplotlib would read text between dollar signs as a formula."""

import xml.etree.ElementTree as ET

import pytest

from ml.evaluation import plots
from ml.promotion.report_plots import as_svg, exposure, forest, reliability

pytestmark = pytest.mark.slow

NAMES = (
    "Under $10 to $20", "$5_$10_off", "A$AP_Rocky$", "\\$", "$\\frac$", "100% $a^b^c$", "<script>alert(1)</script>",
    "a & b", "日本", "</svg>", "line\nbreak", "\x1b[2J", "x" * 5000, "",
)  # fmt: skip


def texts(svg: str) -> str:
    return "".join(ET.fromstring(svg).itertext())


@pytest.mark.parametrize("name", NAMES)
def test_every_plot_draws_any_name(name: str) -> None:
    groups = {"new": 0.2, "head": 0.5, "tail": 0.3}
    figures = (
        forest([{"name": name, "difference": 0.1, "low": 0.0, "high": 0.2, "queries": 5}], name),
        exposure({name: groups}),
        reliability({f"of {name}": {"bins": [[0.1, 0.2, 50]], "error": 0.1}}),
        plots.comparison([{"name": name, "validation": 0.1, "test": 0.2}], name),
        plots.by_slice({"short_cases": 3.0, "short_ndcg_at_10": 0.5}, name),
        plots.learning_curve([{"epoch": 1.0, "loss": 2.0}], name),
    )
    for figure in figures:
        svg = as_svg(figure, name)
        assert "<script" not in svg
        assert plots.named(name)[:50] in texts(svg)
