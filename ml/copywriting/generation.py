"""Generates the copy of many ads: batches, retries, and the template as fallback."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ml.copywriting.ad_copy import AdFacts, Copy
from ml.copywriting.guards import failed_guards
from ml.copywriting.language_model import LanguageModel, prompt
from ml.copywriting.lexicon import Lexicon, lexicon_for
from ml.copywriting.template import template
from schemas.runtime.cli import log

TRIES = 3

BATCH = 36


@dataclass(frozen=True)
class Ad:
    """The user, the item and the facts of an ad."""

    user_id: str
    item_id: str
    facts: AdFacts


@dataclass(frozen=True)
class Written:
    """An ad's copy, its origin, and the seed that reproduces it."""

    ad: Ad
    copy: Copy
    origin: str
    seed: int


def seed_of(facts: AdFacts, attempt: int, seed: int) -> int:
    """A seed for an ad, from its facts and not from its user.

    Args:
        facts: of the ad.
        attempt: number of the try, from 0.
        seed: of the run.

    >>> seed_of(AdFacts("Alien"), 0, 7) == seed_of(AdFacts("Alien"), 1, 7)
    False
    """
    return int.from_bytes(hashlib.sha256(f"{seed}|{attempt}|{prompt(facts)}".encode()).digest()[:4], "big")


def write_all(
    ads: Sequence[Ad], model: LanguageModel, lexicons: Sequence[Lexicon], seed: int, guided: bool = True
) -> tuple[list[Written], dict[str, Any]]:
    """Copy for every ad for which some copy passes the checks, and counts; equal facts get equal copy.

    Args:
        ads: the ads to write.
        model: writes the copy; a template is the fallback.
        lexicons: grammars and words of the copy; an item's categories choose among them.
        seed: of the run.
        guided: whether the model keeps to the grammar.
    """
    copies: dict[AdFacts, tuple[Copy, str, int]] = {}
    failures: Counter[str] = Counter()
    distinct = list(dict.fromkeys(ad.facts for ad in ads))
    tried, passed_first = 0, 0
    for attempt in range(TRIES):
        waiting = [facts for facts in distinct if facts not in copies]
        for batch, lexicon in _batches(waiting, lexicons):
            seeds = [seed_of(facts, attempt, seed) for facts in batch]
            for facts, own, copy in zip(batch, seeds, model.write(batch, seeds, lexicon, guided), strict=True):
                tried += 1
                failed = failed_guards(copy, facts, lexicon)
                failures.update(failed)
                if not failed:
                    copies[facts] = copy, "language_model", own
            log.info("ad copy", attempt=attempt + 1, passed=len(copies), of=len(distinct))
        passed_first = len(copies) if attempt == 0 else passed_first
    for facts in distinct:
        if facts not in copies:
            lexicon = lexicon_for(facts.categories, lexicons)
            copy = template(facts, lexicon)
            if failed := failed_guards(copy, facts, lexicon):
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


def _batches(waiting: Sequence[AdFacts], lexicons: Sequence[Lexicon]) -> Iterator[tuple[list[AdFacts], Lexicon]]:
    """Ads of one lexicon at a time, which share its grammar."""
    for lexicon in lexicons:
        own = [facts for facts in waiting if lexicon_for(facts.categories, lexicons) is lexicon]
        for start in range(0, len(own), BATCH):
            yield own[start : start + BATCH], lexicon
