"""Ad copy: a headline and a body for the first recommendation of a few dozen users, written by the language model.

The model gets an ad's facts (title, year, categories, the similar title that the reason names) and writes within the
lexicon's grammar (``ml.copywriting.guided_decoding``). Every check of ``ml.copywriting.guards`` then judges the text. The
model gets a few tries, each with its own seed; after them a template is the fallback. Template copy has ``template`` as its
``origin`` and goes through the same checks. Copy that fails a check is not staged.

    python -m ml.copywriter --served-on 1998-04-23 --limit 36
"""

import hashlib
import time
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa

from ml.copywriting.ad_copy import AdFacts
from ml.copywriting.generation import Ad, Written, write_all
from ml.copywriting.guards import GUARDS
from ml.copywriting.language_model import LanguageModel
from ml.copywriting.lexicon import Lexicon, lexicon_for, load_lexicon, packaged
from ml.copywriting.smollm2 import FOLDER, language_model_folder
from ml.reasons.sentences import ReasonKind
from ml.text.titles import spoken_title
from schemas.contract import load_contract
from schemas.lake.lake import Lake, open_lake
from schemas.lake.snapshots import add_snapshot_option, catalogue_of, inputs_for
from schemas.publishing.staging import open_attempt
from schemas.runtime.cli import day, log_duration, parser_of, run_id_default
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import get_settings
from schemas.source import catalogue_tables


def choose(
    lake: Lake,
    served_on: date,
    limit: int,
    lexicons: Sequence[Lexicon],
    inputs: dict[str, int],
    catalogue: date | None,
) -> list[Ad]:
    """The first recommendations of ``limit`` users: those with the smallest hash of user and day, a reproducible sample.

    The lexicons take turns, so that a small sample has ads for every kind of item.

    Args:
        lake: holds ``recommendations`` and ``items``.
        served_on: day of the recommendations.
        limit: number of users.
        lexicons: grammars and words of the copy.
        inputs: snapshot id of each table.
        catalogue: day of the catalogue that supplies the titles; None: an item's id serves as its title.

    Raises:
        ClickwrightError: the day has no recommendations, or none with an item of the catalogue.
    """
    rows = lake.arrow(
        "recommendations",
        where=f"served_on = '{served_on}' and rank = 1",
        snapshot=inputs["recommendations"],
        columns=["user_id", "item_id", "reason_kind", "reason_item_id"],
    ).to_pylist()
    if not rows:
        raise ClickwrightError(
            f"nothing is recommended for {served_on}; in table recommendations; publish `ml.recommend` for the day first"
        )
    rows.sort(key=lambda row: hashlib.sha256(f"{served_on}{row['user_id']}".encode()).digest())
    if catalogue is None:
        named = {row[name]: None for row in rows for name in ("item_id", "reason_item_id") if row[name] is not None}
        known = [{"item_id": item, "title": item, "categories": (), "year": None} for item in named]
    else:
        columns = ["item_id", "title", "categories", "year"]
        known = lake.arrow("items", where=f"as_of = '{catalogue}'", snapshot=inputs["items"], columns=columns).to_pylist()
    items = {row["item_id"]: row for row in known}
    ads: dict[str, list[Ad]] = {lexicon.noun: [] for lexicon in lexicons}
    for row in rows:
        if row["item_id"] in items:
            ad = Ad(row["user_id"], row["item_id"], facts_of(items[row["item_id"]], near_title(row, items)))
            ads[lexicon_for(ad.facts.categories, lexicons).noun].append(ad)
    if not any(ads.values()):
        raise ClickwrightError(
            f"no recommended item is in the catalogue of {catalogue}; in table items; run `jobs.items` for a newer catalogue"
        )
    return [ad for turn in zip_longest(*ads.values()) for ad in turn if ad is not None][:limit]


def near_title(recommended: dict[str, Any], items: dict[str, dict[str, Any]]) -> str | None:
    """The spoken title of the similar item that a recommendation's reason names, or None.

    Args:
        recommended: a row of ``recommendations``, with ``reason_kind`` and ``reason_item_id``.
        items: the rows of the catalogue, by item id.

    >>> items = {"i1": {"title": "Terminator, The (1984)"}}
    >>> near_title({"reason_kind": "similar_item", "reason_item_id": "i1"}, items)
    'The Terminator'
    """
    near = items.get(recommended["reason_item_id"] or "")
    return spoken_title(near["title"]) if near and recommended["reason_kind"] == ReasonKind.SIMILAR_ITEM else None


def facts_of(item: dict[str, Any], near: str | None) -> AdFacts:
    """The facts of an ad.

    Args:
        item: the item's row of the catalogue.
        near: the title that the reason names as similar.

    >>> facts_of({"title": "Alien (1979)", "year": 1979, "categories": ["Horror"]}, None)
    AdFacts(title='Alien', year=1979, categories=('Horror',), liked=None)
    """
    return AdFacts(spoken_title(item["title"]), item["year"], tuple(item["categories"] or ()), near)


def as_table(written: Sequence[Written], served_on: date, language_model: str) -> pa.Table:
    """Rows of ``creatives``, sorted by user.

    Args:
        written: the ads with their copy.
        served_on: day of the recommendations.
        language_model: name of the language model, the same in every row.
    """
    return pa.Table.from_pylist(
        [
            {
                "served_on": served_on,
                "user_id": one.ad.user_id,
                "item_id": one.ad.item_id,
                "headline": one.copy.headline,
                "body": one.copy.body,
                "origin": one.origin,
                "language_model": language_model,
                "checks": list(GUARDS),
                "seed": one.seed,
            }
            for one in sorted(written, key=lambda one: one.ad.user_id)
        ],
        schema=load_contract("creatives").arrow_schema,
    )


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage ad copy for a day's first recommendations."""
    parser = parser_of(
        "Write ad copy for the first recommendations of some users, and stage it.",
        "python -m ml.copywriter --served-on 1998-04-23 --limit 5",
    )
    parser.add_argument("--served-on", type=day, required=True, help="day of the recommendations, YYYY-MM-DD")
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    parser.add_argument("--limit", type=int, help="number of users (default: CLICKWRIGHT_COPYWRITER_ADS)")
    parser.add_argument(
        "--lexicon", type=Path, help="YAML of the words that copy may use (default: the packaged one that knows the categories)"
    )
    parser.add_argument("--unguided", action="store_true", help="let the model write without the grammar, for comparison")
    add_snapshot_option(parser)
    args = parser.parse_args(argv)
    started = time.perf_counter()
    settings = get_settings()
    lake = open_lake(settings)
    lexicons = packaged() if args.lexicon is None else [load_lexicon(args.lexicon)]
    source = language_model_folder()
    inputs = inputs_for(lake, ["recommendations", *catalogue_tables(lake.settings)], args.as_of_snapshot)
    catalogue = catalogue_of(lake, inputs, args.served_on - timedelta(days=1))
    limit = settings.copywriter_ads if args.limit is None else args.limit
    ads = choose(lake, args.served_on, limit, lexicons, inputs, catalogue)
    name = source.name if settings.language_model else f"{FOLDER} 135M instruct"
    with open_attempt("copywriter", args.run, inputs) as attempt:
        model = LanguageModel(source)
        with log_duration("pytorch"):
            written, figures = write_all(ads, model, lexicons, settings.seed, not args.unguided)
        attempt.write_arrow("creatives", as_table(written, args.served_on, name), replaces=("served_on", [args.served_on]))
        attempt.note(language_model=name, guided=not args.unguided, **figures)
        recommended = f"served_on = '{args.served_on}' and rank = 1"
        titles = {} if catalogue is None else {"items": f"as_of = '{catalogue}'"}
        attempt.note(reads={"recommendations": recommended, **titles})
    return {
        "served_on": str(args.served_on),
        **figures,
        "share_by_language_model": round(figures["by_language_model"] / max(1, len(ads)), 3),
        "seconds": round(time.perf_counter() - started, 1),
    }


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
