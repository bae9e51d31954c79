"""The report: one self-contained HTML file, rendered from the figures in ``var/demo.json``.

``python -m local.demo.report`` renders it again, for example after a change to the template.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from local.demo.measurements import by_stage
from local.demo.terminal_summary import SHOWN_METRICS, next_steps
from schemas.contract import load_contract, table_names
from schemas.runtime.cli import parser_of, run_command
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.local_files import write_atomically
from schemas.runtime.settings import get_settings

TEMPLATES = Path(__file__).parent / "templates"
SPARK_WIDTH, SPARK_HEIGHT = 640, 72


def write_report(figures: dict[str, Any], path: Path) -> None:
    """Write the report as one HTML file.

    Args:
        figures: as for :func:`render`.
        path: the file.
    """
    write_atomically(path, render(figures, path.parent))


def render(figures: dict[str, Any], folder: Path) -> str:
    """The report as HTML.

    Args:
        figures: as :func:`local.demo.results.gather` returns them, with ``seconds``, ``links`` and ``tables_changed``.
        folder: the folder of the report; links to local files are relative to it.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"num": number, "clock": clock, "percent": percent}
    environment.globals |= {"link": lambda target: link(target, folder)}
    return environment.get_template("report.html.j2").render(
        f=figures,
        flow=flow(figures),
        days=day_bars(figures["accounts"]["days"]),
        closed=sparkline(figures["sessions"]["closed_on"], figures["data"]["first_day"]),
        models=leads(figures["training"]["models"]),
        metrics=SHOWN_METRICS,
        stages=stage_bars(figures["stages"]),
        names=figures["data"]["sources"],
        kinds=kinds_by_source(figures["behaviour"]),
        steps=next_steps(figures),
        found=sum(finding["found"] for finding in figures["planted"]),
        planted=sum(finding["planted"] for finding in figures["planted"]),
        contracts=[load_contract(name) for name in table_names()],
    )


def number(value: float | None, digits: int = 0) -> str:
    """Format a number with thousands separators; an en dash stands for None.

    >>> number(1234567), number(0.12345, 3), number(None)
    ('1,234,567', '0.123', '–')

    Args:
        value: the number, or None.
        digits: the number of decimals.
    """
    return "–" if value is None else f"{value:,.{digits}f}"


def percent(share: float | None) -> str:
    """Format a share; an en dash stands for None.

    >>> percent(0.1234), percent(None)
    ('12.3 %', '–')
    """
    return "–" if share is None else f"{100 * share:.1f} %"


def kinds_by_source(behaviour: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """By source the number of events of each kind, with bar widths in percent of the most frequent kind of the source.

    >>> kinds_by_source([{"source": "shop", "kind": "view", "events": 4}, {"source": "shop", "kind": "like", "events": 1}])
    {'shop': [{'kind': 'view', 'events': 4, 'width': 100.0}, {'kind': 'like', 'events': 1, 'width': 25.0}]}
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for row in behaviour:
        own = found.setdefault(row["source"], [])
        most = own[0]["events"] if own else row["events"]
        own.append({"kind": row["kind"], "events": row["events"], "width": round(100 * row["events"] / most, 2)})
    return found


def clock(seconds: float) -> str:
    """Format a duration in seconds.

    >>> clock(4.25), clock(75)
    ('4.2 s', '1 min 15 s')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def link(target: str, folder: Path) -> str:
    """The ``href`` of a link: web addresses are unchanged, local files become relative to the report.

    >>> link("http://127.0.0.1:8080", Path("/var")), link("file:///var/docs/index.html", Path("/var"))
    ('http://127.0.0.1:8080', 'docs/index.html')

    Args:
        target: a URL or an absolute path.
        folder: the folder of the report.
    """
    parts = urlparse(target)
    if parts.scheme in ("http", "https"):
        return target
    path = Path(parts.path)
    return Path(os.path.relpath(path, folder)).as_posix() if path.is_absolute() else path.as_posix()


def flow(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The stages from log lines to ads: the name, the count, and a note about each."""
    total, ads = figures["accounts"]["total"], figures["advertising"]
    lost = f"{total['rejects']:,} rejected with reasons, {total['duplicates']:,} duplicates"
    sessions = figures["sessions"]
    return [
        {
            "what": "lines read",
            "count": total["lines"],
            "note": f"on {len(figures['accounts']['days'])} arrival days",
        },
        {"what": "events", "count": total["events"], "note": lost},
        {"what": "sessions", "count": sessions["sessions"], "note": f"of {sessions['users']:,} users"},
        {
            "what": "recommendations",
            "count": ads["rows"],
            "note": f"for {ads['users']:,} users",
        },
        {"what": "ads written", "count": ads["creatives"], "note": _origins(ads["creatives_by_origin"])},
    ]


def _origins(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} by {origin.replace('_', ' ')}" for origin, count in sorted(counts.items())) or "none"


def day_bars(days: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The days without the history load, with bar widths in percent of the day with the most lines."""
    ordinary = [day for day in days if not day["history"]]
    longest = max((day["lines"] for day in ordinary), default=1) or 1
    parts = ("events", "rejects", "duplicates")
    return [{**day, "widths": {p: round(100 * day[p] / longest, 2) for p in parts}} for day in ordinary]


def leads(models: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each model with the champion's lead over it as positions on one axis, in percent of the axis.

    ``places`` holds ``zero``, the ``dot`` of the difference, and ``start`` and ``length`` of the interval; it is None for
    the champion itself.
    """
    ends = [0.0, *(model["lead"][end] for model in models if model["lead"] for end in ("low", "high"))]
    low, span = min(ends), (max(ends) - min(ends)) or 1.0

    def at(value: float) -> float:
        return round(2 + 96 * (value - low) / span, 2)

    found = []
    for model in models:
        lead, places = model["lead"], None
        if lead:
            start = at(lead["low"])
            length = round(at(lead["high"]) - start, 2)
            places = {"zero": at(0), "dot": at(lead["difference"]), "start": start, "length": length}
        found.append({**model, "places": places})
    return found


def sparkline(by_day: dict[str, int], since: str) -> dict[str, Any]:
    """Sessions per day as bars of an SVG.

    Args:
        by_day: the number of sessions by day (ISO date), in order.
        since: the first day that is marked as new (ISO date).
    """
    highest = max(by_day.values(), default=1) or 1
    step = SPARK_WIDTH / max(len(by_day), 1)
    bars = [
        {
            "x": round(i * step, 2),
            "width": round(max(step - 0.6, 0.8), 2),
            "height": round(count / highest * SPARK_HEIGHT, 2),
            "y": round(SPARK_HEIGHT - count / highest * SPARK_HEIGHT, 2),
            "new": day >= since,
            "title": f"{day}: {count} sessions",
        }
        for i, (day, count) in enumerate(by_day.items())
    ]
    return {"bars": bars, "width": SPARK_WIDTH, "height": SPARK_HEIGHT, "highest": highest}


def stage_bars(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Seconds of each stage, summed over all runs, with bar widths in percent of the longest stage."""
    shown = by_stage(runs)
    longest = max(shown.values(), default=1.0)
    return [
        {"workflow": workflow, "stage": stage, "seconds": value, "width": round(100 * value / longest, 2)}
        for (workflow, stage), value in shown.items()
    ]


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Render the report again from the figures of the last demonstration.

    Raises:
        ClickwrightError: the file of figures does not exist.
    """
    settings = get_settings()
    parser = parser_of("Render the report of the last demonstration again.", "python -m local.demo.report --out report.html")
    parser.add_argument("--figures", type=Path, default=settings.var / "demo.json", help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=settings.var / "demo.html", help="default: %(default)s")
    args = parser.parse_args(argv)
    if not args.figures.exists():
        raise ClickwrightError(f"the file of figures is missing; at {args.figures}; run `make demo` first")
    write_report(json.loads(args.figures.read_text(encoding="utf-8")), args.out)
    return {"report": str(args.out)}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
