"""Three users as examples: their history, their recommendations with reasons, and their ads."""

from collections.abc import Sequence
from datetime import date
from itertools import zip_longest
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from local.demo.measurements import sources_of_users
from schemas.lake.lake import Lake

LAST_EVENTS = 8
NOT_DONE = ("impression", "search")
"""Event types that show no item which the user chose."""
SEGMENTS = ("regular", "casual", "new", "lapsed")


def stories(lake: Lake, served_on: date, as_of: date, count: int = 4) -> list[dict[str, Any]]:
    """Examples of each source in turn, from as many segments as possible; users with ads come first.

    Args:
        lake: the lake.
        served_on: the day of the recommendations.
        as_of: the day of the profiles.
        count: the number of users.
    """
    day = f"served_on = '{served_on}'"
    recommended = lake.arrow("recommendations", day)
    copy = lake.arrow("creatives", day) if lake.exists("creatives") else None
    profiles = {row["user_id"]: row for row in lake.arrow("profiles", f"as_of = '{as_of}'").to_pylist()}
    written = set(copy["user_id"].to_pylist()) if copy else set()
    candidates = sorted(set(recommended["user_id"].to_pylist()), key=lambda user: (user not in written, user))
    sources = sources_of_users(lake)
    known = [user for user in candidates if user in profiles]
    by_source = [
        choose([(user, profiles[user]["segment"]) for user in known if sources.get(user) == source], count)
        for source in sorted({sources[user] for user in known if user in sources})
    ]
    chosen = [user for turn in zip_longest(*by_source) for user in turn if user is not None][:count]
    titles = _titles(lake)
    told = [_story(lake, user, profiles[user], recommended, copy, titles) for user in chosen]
    return [{**story, "source": sources[story["user"]]} for story in told]


def choose(candidates: Sequence[tuple[str, str]], count: int) -> list[str]:
    """The first candidate of each segment, then the others in order, up to ``count``.

    >>> choose([("a", "regular"), ("b", "regular"), ("c", "new")], 3)
    ['a', 'c', 'b']

    Args:
        candidates: pairs of user and segment, in order of preference.
        count: the number of users to choose.
    """
    chosen: list[str] = []
    for segment in SEGMENTS:
        chosen += [user for user, of in candidates if of == segment][:1]
    chosen += [user for user, _ in candidates if user not in chosen]
    return chosen[:count]


def _titles(lake: Lake) -> dict[str, dict[str, Any]]:
    """Title and categories by item, from the newest catalogue."""
    newest = lake.partitions("items", "as_of")[-1]
    rows = lake.arrow("items", f"as_of = '{newest}'", columns=["item_id", "title", "categories"])
    return {row["item_id"]: row for row in rows.to_pylist()}


def _story(
    lake: Lake,
    user: str,
    profile: dict[str, Any],
    recommended: pa.Table,
    copy: pa.Table | None,
    titles: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    columns = ["event_time", "event_type", "item_id", "value", "event_id"]
    events = lake.arrow("events", f"user_id = '{user}' and event_type not in {NOT_DONE}", columns=columns)
    latest = events.sort_by([("event_time", "descending"), ("event_id", "ascending")]).slice(0, LAST_EVENTS)
    best = recommended.filter(pc.equal(recommended["user_id"], user)).sort_by("rank")
    ads = copy.filter(pc.equal(copy["user_id"], user)) if copy else None
    weights = dict(profile["category_weights"] or [])
    return {
        "user": user,
        "segment": profile["segment"],
        "events": profile["n_events"],
        "first_seen": str(profile["first_seen"].date()),
        "last_seen": str(profile["last_seen"].date()),
        "interests": [name for name, _ in sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))][:4],
        "history": [
            {
                "when": f"{row['event_time']:%Y-%m-%d %H:%M}",
                "what": row["event_type"],
                "title": _title(titles, row["item_id"]),
                "value": row["value"],
            }
            for row in latest.to_pylist()
        ],
        "recommendations": [
            {
                "rank": row["rank"],
                "title": _title(titles, row["item_id"]),
                "categories": (titles.get(row["item_id"]) or {}).get("categories") or [],
                "score": round(row["score"], 4),
                "reason": row["reason"],
            }
            for row in best.to_pylist()
        ],
        "creatives": [
            {
                "title": _title(titles, row["item_id"]),
                "headline": row["headline"],
                "body": row["body"],
                "origin": row["origin"],
                "language_model": row["language_model"],
                "checks": row["checks"],
            }
            for row in (ads.to_pylist() if ads else [])
        ],
    }


def _title(titles: dict[str, dict[str, Any]], item: str | None) -> str:
    return str((titles.get(item or "") or {}).get("title") or item or "")
