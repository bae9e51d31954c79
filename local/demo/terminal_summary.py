"""The summary of the demonstration on the terminal."""

from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from local.demo.measurements import by_stage
from schemas.runtime.terminal import in_markup, literal

SHOWN_METRICS = {
    "validation_ndcg_at_10": "valid NDCG@10",
    "test_ndcg_at_10": "test NDCG@10",
    "test_hit_rate_at_10": "test HR@10",
    "test_mrr_at_10": "test MRR@10",
    "test_coverage_at_10": "coverage",
}


def show(figures: dict[str, Any], console: Console) -> None:
    """Print the summary.

    Args:
        figures: as :func:`local.demo.results.gather` returns them.
        console: the terminal.
    """
    for part in (_accounts, _behaviour, _planted, _tables, _models, _stories, _stages):
        console.print()
        part(figures, console)
    console.print()
    _farewell(figures, console)


def _heading(console: Console, text: str, note: str = "") -> None:
    console.print(f"[bold]{in_markup(text)}[/]" + (f"  [dim]{in_markup(note)}[/]" if note else ""), highlight=False)


def _plain(*columns: str, left: int = 1) -> Table:
    """A table without a frame; the first ``left`` columns are text, the others are numbers."""
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i < left else "right", no_wrap=True)
    return table


def _print(console: Console, table: Table) -> None:
    console.print(Padding(table, (0, 0, 0, 2)))


def _accounts(figures: dict[str, Any], console: Console) -> None:
    total, days = figures["accounts"]["total"], figures["accounts"]["days"]
    _heading(console, "Every line is accounted for", "lines read = events + rejects + duplicates")
    table = _plain("arrived on", "lines", "events", "rejects", "duplicates", "late events", "")
    for day in [*days, {**total, "arrived_on": "all"}]:
        figures_of_day = [f"{day[k]:,}" for k in ("lines", "events", "rejects", "duplicates", "late_events")]
        verdict = "[green]balanced[/]" if day["balanced"] else "[red]NOT BALANCED[/]"
        table.add_row(day["arrived_on"] + (" history" if day.get("history") else ""), *figures_of_day, verdict)
    _print(console, table)


def _behaviour(figures: dict[str, Any], console: Console) -> None:
    names = figures["data"]["sources"]
    _heading(console, "Every kind of behaviour", "events by source, counted in the table events")
    for source in dict.fromkeys(row["source"] for row in figures["behaviour"]):
        counts = [f"{row['events']:,} {row['kind']}" for row in figures["behaviour"] if row["source"] == source]
        console.print(literal(f"  {names.get(source, source)}: {', '.join(counts)}"))
    _heading(console, "The shop by day", "click-through: clicks / impressions; conversion: purchases / clicks")
    table = _plain(
        "arrived on", "impressions", "of ads", "clicks", "of ads", "carts", "purchases", "click-through", "conversion"
    )
    for day in figures["shop_days"]:
        counts = [f"{day[kind]:,}" for kind in ("impression", "ad_impression", "click", "ad_click", "cart", "purchase")]
        rates = ["–" if day[rate] is None else f"{day[rate]:.1%}" for rate in ("click_through", "conversion")]
        table.add_row(day["arrived_on"] + (" history" if day["history"] else ""), *counts, *rates)
    _print(console, table)


def _planted(figures: dict[str, Any], console: Console) -> None:
    _heading(console, "Planted defects, each checked by its file and line")
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("defect", "expected", "planted", "found", "reject reasons"):
        table.add_column(column, justify="right" if column in ("planted", "found") else "left")
    for finding in figures["planted"]:
        colour = "green" if finding["found"] == finding["planted"] else "red"
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(finding["reasons"].items()))
        found = f"[{colour}]{finding['found']}[/]"
        table.add_row(finding["what"], finding["expected"], str(finding["planted"]), found, f"[dim]{in_markup(reasons)}[/]")
    _print(console, table)


def _tables(figures: dict[str, Any], console: Console) -> None:
    sessions = figures["sessions"]
    _heading(
        console,
        "The lake",
        f"{sessions['sessions']:,} sessions of {sessions['users']:,} users; median: "
        f"{sessions['median_events']:g} events in {sessions['median_minutes']:g} minutes",
    )
    table = _plain("table", "rows", "partitions", "snapshot")
    for row in figures["tables"]:
        table.add_row(row["table"], f"{row['rows']:,}", f"{row['partitions']:,}", str(row["snapshot"] or ""))
    _print(console, table)


def _models(figures: dict[str, Any], console: Console) -> None:
    champion = figures["training"]["champion"]
    note = f"champion: version {champion['version']} of {champion['model']}"
    _heading(console, "Models, tested on the days after the training data", note)
    table = _plain("recipe", *SHOWN_METRICS.values(), "champion leads by (95 %)", "seconds")
    for model in figures["training"]["models"]:
        metrics = model["metrics"]
        cells = [f"{metrics[name]:.4f}" if name in metrics else "" for name in SHOWN_METRICS]
        lead = model["lead"]
        cells.append(f"{lead['difference']:+.4f} ({lead['low']:+.4f} to {lead['high']:+.4f})" if lead else "")
        style = "bold green" if model["champion"] else None
        table.add_row(in_markup(model["recipe"]), *cells, f"{model['seconds']:.0f}", style=style)
    _print(console, table)


def _stories(figures: dict[str, Any], console: Console) -> None:
    served_on = figures["advertising"]["served_on"]
    _heading(console, f"{len(figures['stories'])} users, and their recommendations and ads on {served_on}")
    names = figures["data"]["sources"]
    for row in figures["own_items"]:
        name, all_items = names.get(row["source"], row["source"]), row["own"] + row["other"]
        share = f"{row['own'] / all_items:.1%} of the {all_items:,} items for its {row['users']:,} users are its own"
        console.print(literal(f"  {name}: {share}"))
    for story in figures["stories"]:
        source = names.get(story["source"], story["source"])
        about = f"{source}, {story['segment']}, {story['events']} events, likes {', '.join(story['interests'])}"
        console.print(f"  [bold]{in_markup(story['user'][:10])}…[/] {in_markup(about)}", highlight=False)
        known = [event for event in story["history"] if event["title"]][:5]
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(justify="right", style="dim", no_wrap=True)
        table.add_column()
        table.add_column(style="dim")
        seen = "\n".join(f"{in_markup(event['title'])} ({_did(event)})" for event in known)
        table.add_row("did", seen)
        for item in story["recommendations"][:5]:
            table.add_row(str(item["rank"]), in_markup(item["title"]), in_markup(item["reason"]))
        for ad in story["creatives"][:1]:
            said = in_markup(f"{ad['body']} ({ad['origin']})")
            table.add_row("ad", f"[italic]{in_markup(ad['headline'])}[/]", said)
        console.print(Padding(table, (0, 0, 0, 4)))


def _did(event: dict[str, Any]) -> str:
    """The deed of a user with an item: the stars of a rating, otherwise the kind of the event.

    >>> _did({"what": "rating", "value": 4.0}), _did({"what": "purchase", "value": 19.5}), _did({"what": "view", "value": None})
    ('4', 'purchase 19.5', 'view')
    """
    value = "" if event["value"] is None else f"{event['value']:g}"
    return value if event["what"] == "rating" and value else f"{event['what']} {value}".rstrip()


def _stages(figures: dict[str, Any], console: Console) -> None:
    _heading(console, "Seconds per stage", "task durations from Airflow, summed over all runs")
    table = _plain("workflow", "stage", "seconds", left=2)
    for (workflow, stage), seconds in by_stage(figures["stages"]).items():
        table.add_row(in_markup(workflow), in_markup(stage), f"{seconds:,.0f}")
    _print(console, table)
    wall = ", ".join(f"{title} {seconds:,.0f}" for title, seconds in figures["seconds"].items())
    console.print(f"  [dim]wall-clock time of this run:[/] {wall}", highlight=False)


def _farewell(figures: dict[str, Any], console: Console) -> None:
    links = {name: in_markup(target) for name, target in figures["links"].items()}
    changed = figures["tables_changed"]
    if not changed:
        console.print("[dim]Everything was already done; no table changed.[/]")
    searched = figures["privacy"]
    verdict = f"[red]found in {len(searched['found'])} files[/]" if searched["found"] else "[green]none[/]"
    console.print(
        f"Raw user ids outside the landing zone: {verdict} [dim]({searched['files']:,} files, "
        f"{searched['bytes'] / 1e6:,.0f} MB searched)[/]\n",
        highlight=False,
    )
    console.print(f"Report      {links['report']}", highlight=False, soft_wrap=True)
    console.print(f"Figures     {links['figures']}", highlight=False, soft_wrap=True)
    console.print(f"Tables      {links['tables']}", highlight=False, soft_wrap=True)
    console.print(f"Data Docs   {links['audits']}", highlight=False, soft_wrap=True)
    console.print(
        f"Airflow     {links['airflow']}   MLflow  {links['mlflow']}   [dim]after[/] make up",
        highlight=False,
    )
    console.print("\n[bold]Three things to try next[/]")
    for number, (command, gives) in enumerate(next_steps(figures), 1):
        console.print(f"  {number}. [bold]{in_markup(command)}[/]", highlight=False, soft_wrap=True)
        console.print(f"     [dim]{in_markup(gives)}[/]", highlight=False)


def next_steps(figures: dict[str, Any]) -> list[tuple[str, str]]:
    """Commands to try after the demonstration, each with its result.

    Args:
        figures: as for :func:`show`.
    """
    sources = ",".join(figures["data"]["sources"])
    more = ("make demo-full", "the other five days of the films and the shop, and all recipes tuned thoroughly")
    again = ("python -m local.stack.overheads 1998-04-17", "while they run: how the time of a day divides")
    return [
        (f"CLICKWRIGHT_SOURCES={sources} make up", "Airflow and MLflow with these runs; it prints addresses and passwords"),
        again if figures["data"]["effort"] == "full" else more,
        (
            "python -m jobs.clean --check schemas/sources/web_log.yaml /var/log/nginx/access.log",
            "your own log: the outcome of each line, before anything is written; docs/sources.md has the other mappings",
        ),
    ]
