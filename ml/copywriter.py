"""Ad copy: a headline and a body for the first recommendation of a few dozen users, written by the language model.

The model knows an ad's facts (title, year, categories, the near title that the reason names) and writes within the
lexicon's grammar (``ml.copywriting.guided_decoding``); every check of ``ml.copywriting.guards`` judges what it wrote. It
gets a few tries, each with a seed of its own; then a template takes its place, whose copy says so in ``origin`` and goes
through the same checks. What does not pass them all is not written.

    python -m ml.copywriter --served-on 1998-04-23 --limit 36
"""

import argparse
import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from ml.copywriting.guards import CHECKS, HEADLINE_LENGTH, Copy, Facts, failed_checks, spoken_title
from ml.copywriting.language_model import LanguageModel, prompt
from ml.copywriting.lexicon import DEFAULT, Lexicon, load_lexicon
from ml.copywriting.smollm2 import FOLDER, language_model_folder
from ml.reasons.sentences import named_title
from schemas.contract import load_contract
from schemas.lake.lake import Lake, open_lake
from schemas.lake.snapshots import add_snapshot_option, catalogue_of, inputs_for
from schemas.publishing.staging import open_attempt
from schemas.runtime.cli import at_work, day, log, run_id_default
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.settings import get_settings

TRIES = 3
BATCH = 36


@dataclass(frozen=True)
class Ad:
    """Whom an ad is for, and what it may say."""

    user_id: str
    item_id: str
    facts: Facts


@dataclass(frozen=True)
class Written:
    """An ad's copy, who wrote it, and the seed with which that can be repeated."""

    ad: Ad
    copy: Copy
    origin: str
    seed: int


def template(facts: Facts, lexicon: Lexicon) -> Copy:
    """Copy without a language model: it says the facts in a fixed order, none of them twice."""
    kind = lexicon.kinds(facts.categories)[0]
    rest = []
    if facts.year is not None:
        rest += lexicon.forms("year_from", {"year": str(facts.year)})[:1]
    if facts.liked is not None:
        rest += lexicon.forms("near", {"liked": facts.liked})[:1]
    headline = f"{facts.title}: {kind}"
    if not rest or len(headline) > HEADLINE_LENGTH:
        headline, rest = facts.title, [" ".join([kind, *rest[:1]]), *rest[1:]]
    body = ", ".join(rest)
    return Copy(headline, f"{body[0].upper()}{body[1:]}.")


def seed_of(facts: Facts, attempt: int, seed: int) -> int:
    """A seed of an ad's own, from what it says and not from whom it is for."""
    return int.from_bytes(hashlib.sha256(f"{seed}|{attempt}|{prompt(facts)}".encode()).digest()[:4], "big")


def write_all(
    ads: Sequence[Ad], model: LanguageModel, lexicon: Lexicon, seed: int, guided: bool = True
) -> tuple[list[Written], dict[str, Any]]:
    """Copy for every ad for which some copy passes the checks, and the figures of the work. Equal facts get equal copy."""
    copies: dict[Facts, tuple[Copy, str, int]] = {}
    failures: Counter[str] = Counter()
    distinct = list(dict.fromkeys(ad.facts for ad in ads))
    tried, passed_first = 0, 0
    for attempt in range(TRIES):
        waiting = [facts for facts in distinct if facts not in copies]
        for start in range(0, len(waiting), BATCH):
            batch = waiting[start : start + BATCH]
            seeds = [seed_of(facts, attempt, seed) for facts in batch]
            for facts, own, copy in zip(batch, seeds, model.write(batch, seeds, lexicon, guided), strict=True):
                tried += 1
                failed = failed_checks(copy, facts, lexicon)
                failures.update(failed)
                if not failed:
                    copies[facts] = copy, "language_model", own
            log.info("ad copy", attempt=attempt + 1, passed=len(copies), of=len(distinct))
        passed_first = len(copies) if attempt == 0 else passed_first
    for facts in distinct:
        if facts not in copies:
            copy = template(facts, lexicon)
            if failed := failed_checks(copy, facts, lexicon):
                log.warning("no copy passes the checks", title=facts.title, failed=failed)
            else:
                copies[facts] = copy, "template", 0
    written = [Written(ad, *copies[ad.facts]) for ad in ads if ad.facts in copies]
    by = Counter(one.origin for one in written)
    return written, {
        "ads": len(ads),
        "by_language_model": by["language_model"],
        "by_template": by["template"],
        "not_written": len(ads) - len(written),
        "texts_tried": tried,
        "texts_passed": sum(origin == "language_model" for _, origin, _ in copies.values()),
        "passed_at_first_try": passed_first,
        "failed_checks": dict(sorted(failures.items())),
    }


def choose(lake: Lake, served_on: date, limit: int, inputs: dict[str, int], catalogue: date | None) -> list[Ad]:
    """The first recommendations of ``limit`` users: those whose hash with the day is smallest, a fair and fixed choice.

    Args:
        lake: the lake.
        served_on: day of the recommendations.
        limit: of how many users.
        inputs: the snapshots to read.
        catalogue: day of the catalogue that says what a title is; with None an item is called by its id.

    Raises:
        ClickwrightError: nothing is recommended for the day.
    """
    rows = lake.arrow(
        "recommendations",
        where=f"served_on = '{served_on}' and rank = 1",
        snapshot=inputs["recommendations"],
        columns=["user_id", "item_id", "reason"],
    ).to_pylist()
    if not rows:
        raise ClickwrightError(
            f"nothing is recommended for {served_on}; in table recommendations; publish `ml.recommend` for the day first"
        )
    rows.sort(key=lambda row: hashlib.sha256(f"{served_on}{row['user_id']}".encode()).digest())
    if catalogue is None:
        known = [{"item_id": row["item_id"], "title": row["item_id"], "categories": (), "year": None} for row in rows]
    else:
        columns = ["item_id", "title", "categories", "year"]
        known = lake.arrow("items", where=f"as_of = '{catalogue}'", snapshot=inputs["items"], columns=columns).to_pylist()
    items = {row["item_id"]: row for row in known}
    ads = [
        Ad(row["user_id"], row["item_id"], facts_of(items[row["item_id"]], row["reason"]))
        for row in rows[:limit]
        if row["item_id"] in items
    ]
    if not ads:
        raise ClickwrightError(
            f"no recommended item is in the catalogue of {catalogue}; in table items; run `jobs.items` for a newer catalogue"
        )
    return ads


def facts_of(item: dict[str, Any], reason: str) -> Facts:
    """What the catalogue and the reason say."""
    return Facts(spoken_title(item["title"]), item["year"], tuple(item["categories"] or ()), named_title(reason))


def as_table(written: Sequence[Written], served_on: date, language_model: str) -> pa.Table:
    """Rows of ``creatives``, by user."""
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
                "checks": list(CHECKS),
                "seed": one.seed,
            }
            for one in sorted(written, key=lambda one: one.ad.user_id)
        ],
        schema=load_contract("creatives").arrow_schema,
    )


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage ad copy for a day's first recommendations."""
    parser = argparse.ArgumentParser(description="Write ad copy for the first recommendations of some users, and stage it.")
    parser.add_argument("--served-on", type=day, required=True, help="day of the recommendations, YYYY-MM-DD")
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    parser.add_argument("--limit", type=int, default=36, help="for how many users (default: 36)")
    parser.add_argument("--lexicon", type=Path, default=DEFAULT, help="YAML of the words that copy may use")
    parser.add_argument(
        "--unguided", action="store_true", help="let the model write without the grammar, to see what it is for"
    )
    add_snapshot_option(parser)
    args = parser.parse_args(argv)
    started = time.perf_counter()
    settings = get_settings()
    lake = open_lake(settings)
    lexicon = load_lexicon(args.lexicon)
    source = language_model_folder()
    inputs = inputs_for(lake, ("recommendations", "items"), args.as_of_snapshot)
    catalogue = catalogue_of(lake, inputs, args.served_on - timedelta(days=1))
    ads = choose(lake, args.served_on, args.limit, inputs, catalogue)
    name = source.name if settings.language_model else f"{FOLDER} 135M instruct"
    with open_attempt("copywriter", args.run, inputs) as attempt:
        model = LanguageModel(source)
        with at_work("pytorch"):
            written, figures = write_all(ads, model, lexicon, settings.seed, not args.unguided)
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
