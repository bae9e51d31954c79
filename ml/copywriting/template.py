"""Ad copy from a template, the fallback when the language model's text fails a check."""

from ml.copywriting.ad_copy import HEADLINE_LENGTH, AdFacts, Copy
from ml.copywriting.lexicon import Lexicon


def template(facts: AdFacts, lexicon: Lexicon) -> Copy:
    """Copy without a language model: the facts in a fixed order, each once.

    Args:
        facts: of the ad.
        lexicon: the phrases for category, year and similar title.
    """
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
