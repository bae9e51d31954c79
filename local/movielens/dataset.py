"""MovieLens 100K as a landing zone: its history as one dump, its last seven days as daily arrivals.

The short demonstration lays out only the first two of these days (``--until``); the full one adds the other five.

``python -m local.movielens --landing var/landing`` reads the ratings from the ``recbole`` wheel and writes gzipped JSON
lines: ``movielens/arrived=<hour>/part-*.jsonl.gz`` (events, in the format of a web shop's collector) and
``movielens-items/arrived=<hour>/items.jsonl.gz`` (the catalogue). The daily arrivals contain planted defects
(``local.movielens.defects``); ``planted.json``, next to the landing zone, records them. The same seed gives the same bytes.

A line from a browser arrives in the hour after its event, a line from the app in the same hour. So the app's ratings
between midnight and 01:00 belong to the previous arrival day. The times are MovieLens's own; device and user agent are
invented.
"""

import importlib.util
import random
import re
import uuid
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from local.movielens.defects import late_for, plant, records
from local.movielens.landing_lines import HOUR, Line, arrival_day, compress, folder, hour_of, iso, place, to_json
from schemas.runtime.errors import ConfigError

SOURCE = "movielens"
ITEMS = "movielens-items"
FIRST_DAY = date(1998, 4, 16)
LAST_DAY = date(1998, 4, 22)
SHORT_LAST_DAY = date(1998, 4, 17)
"""The last day of the short demonstration: with the day before, it shows every kind of planted defect."""
HISTORY_SINCE = date(1997, 9, 20)
HISTORY_ARRIVAL = FIRST_DAY - timedelta(days=1)
ROBOT_DAY = date(1998, 4, 17)
HISTORY_LINES_A_FILE = 20_000
USER_DOMAIN = "movielens.example"
RAW_IDS = (f"@{USER_DOMAIN}", "ml100k-user-")
"""The parts of every raw user id: its domain, and the prefix that remains when a line is cut off inside the id."""
LICENCE = "https://files.grouplens.org/datasets/movielens/ml-100k-README.txt"
TERMS = (
    "MovieLens 100K was collected by the GroupLens Research Project at the University of Minnesota. It is "
    "for research: no commercial use and no passing on without permission from GroupLens, no claim of their "
    "endorsement. Who publishes results with it cites F. Maxwell Harper and Joseph A. Konstan, The MovieLens "
    "Datasets: History and Context, ACM Transactions on Interactive Intelligent Systems 5(4), 2015, "
    f"https://doi.org/10.1145/2827872. Full terms: {LICENCE}"
)
AGENTS = {
    "web": (
        "Mozilla/4.04 [en] (X11; I; Linux 2.0.33 i686)",
        "Mozilla/4.0 (compatible; MSIE 4.01; Windows 98)",
        "Mozilla/3.01Gold (Macintosh; I; PPC)",
    ),
    "app": ("FilmShop/1.2 (PalmOS 3.0)",),
}
TRAILING_ARTICLE = re.compile(r"^(.+), (The|A|An|La|Le|Les|L'|Il|El|Der|Die|Das|O)$")


class Rating(NamedTuple):
    """One rating of MovieLens: user number, title number, rating from 1 to 5, seconds since 1970 (UTC)."""

    user: int
    item: int
    rating: int
    time: int


def wheel_folder() -> Path:
    """The folder of MovieLens 100K in the ``recbole`` package; the package itself is not imported.

    Raises:
        ConfigError: the package is not installed.
    """
    spec = importlib.util.find_spec("recbole")
    roots = list(spec.submodule_search_locations or []) if spec else []
    found = Path(roots[0]) / "dataset_example" / "ml-100k" if roots else None
    if found is None or not (found / "ml-100k.inter").exists():
        raise ConfigError("MovieLens 100K is missing; in the package recbole; run `make .venv`")
    return found


def read_ratings(folder: Path) -> list[Rating]:
    """All 100,000 ratings, ordered by time, user and title."""
    rows = (line.split("\t") for line in (folder / "ml-100k.inter").read_text("utf-8").splitlines()[1:])
    ratings = [Rating(int(user), int(item), int(float(rating)), int(float(at))) for user, item, rating, at in rows]
    return sorted(ratings, key=lambda r: (r.time, r.user, r.item))


def read_titles(folder: Path) -> list[dict[str, Any]]:
    """The catalogue: ``item_id``, ``title``, ``year`` (None if unknown), ``categories``."""
    titles = []
    for line in (folder / "ml-100k.item").read_text("utf-8").splitlines()[1:]:
        item, title, year, categories = line.split("\t")
        named = [c for c in categories.split() if c != "unknown"]
        titles.append(
            {
                "item_id": item,
                "title": readable(title),
                "year": int(year) if year.isdigit() else None,
                "categories": named,
            }
        )
    return titles


def readable(title: str) -> str:
    """A title with its article first.

    >>> readable("Double vie de Véronique, La (Double Life of Veronique, The)")
    'La Double vie de Véronique (The Double Life of Veronique)'
    """
    if title == "unkonwn":  # the spelling of the data set
        return "Unknown title"
    main, bracket, inner = title.partition(" (")
    whole = _article_first(main)
    return f"{whole} ({_article_first(inner.removesuffix(')'))})" if bracket else whole


def _article_first(title: str) -> str:
    found = TRAILING_ARTICLE.match(title)
    if not found:
        return title
    rest, article = found.groups()
    return f"{article}{rest}" if article.endswith("'") else f"{article} {rest}"


def raw_user(number: int) -> str:
    """The shop's raw id of a user; it is unlike any other text, so that a search can find it.

    >>> raw_user(7)
    'ml100k-user-000007@movielens.example'
    """
    return f"ml100k-user-{number:06d}@{USER_DOMAIN}"


def to_event(rating: Rating) -> dict[str, Any]:
    """A rating as an event of the shop's collector."""
    device = "app" if rating.user % 3 == 1 else "web"
    agents = AGENTS[device]
    name = f"{rating.user}/{rating.item}/{rating.time}"
    return {
        "event_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"ml-100k/{name}")),
        "type": "rating",
        "user": raw_user(rating.user),
        "item": str(rating.item),
        "rating": rating.rating,
        "time": iso(datetime.fromtimestamp(rating.time, UTC)),
        "device": device,
        "agent": agents[rating.user % len(agents)],
        "surface": "catalogue",
    }


def to_line(rating: Rating) -> Line:
    """A rating with its arrival hour: the history arrives in the dump, newer ratings in their own hour."""
    at = datetime.fromtimestamp(rating.time, UTC)
    event = to_event(rating)
    began = datetime.combine(FIRST_DAY, time(1), UTC)
    if at.date() < FIRST_DAY:
        return Line(at, began - HOUR, event)
    arrives = hour_of(at) if event["device"] == "app" else hour_of(at) + HOUR
    return Line(at, max(arrives, began), event)  # the collector starts right after the dump


def build(folder_of_wheel: Path, seed: int) -> tuple[dict[str, bytes], list[dict[str, Any]], Counter[str]]:
    """All files of the landing zone.

    Args:
        folder_of_wheel: the folder of MovieLens 100K.
        seed: the seed of the planted defects.

    Returns:
        Content by path relative to the landing zone; the planted defects; the number of lines by arrival day.
    """
    lines = [to_line(rating) for rating in read_ratings(folder_of_wheel)]
    history = [line for line in lines if line.at.date() < FIRST_DAY]
    days = [FIRST_DAY + timedelta(days=i) for i in range((LAST_DAY - FIRST_DAY).days + 1)]
    daily = plant(lines[len(history) :], days, ROBOT_DAY, random.Random(seed))
    late = late_for(history, HISTORY_ARRIVAL, random.Random(seed))
    moved = {line.event["event_id"] for line in late}
    history, daily = [line for line in history if line.event["event_id"] not in moved], [*daily, *late]
    placed = place(SOURCE, daily)
    dump = folder(SOURCE, history[0].arrives)
    text: dict[str, list[str]] = {}
    for i, line in enumerate(history):
        text.setdefault(f"{dump}/part-{i // HISTORY_LINES_A_FILE:03d}.jsonl.gz", []).append(line.render())
    for p in placed:
        text.setdefault(p.file, []).append(p.line.render())
    titles = [to_json(title) for title in read_titles(folder_of_wheel)]
    text[f"{folder(ITEMS, history[0].arrives)}/items.jsonl.gz"] = titles
    counts = Counter(arrival_day(line.arrives).isoformat() for line in [*history, *daily])
    return {name: compress(content) for name, content in text.items()}, records(placed), counts


def truth_folder(landing: Path) -> Path:
    """The folder of the record of the planted defects, next to the landing zone.

    >>> truth_folder(Path("var/landing")).as_posix()
    'var/landing-truth'
    """
    return landing.with_name(f"{landing.name}-truth")
