"""The checks that ad copy must pass: one short, named function per check.

A check gets the copy, the ad's facts and the lexicon, and returns whether the copy passes; ``failed_guards`` names those that
fail. Checks judge the text alone, so the language model and the template pass the same ones.
"""

import re
from collections.abc import Callable, Iterator

from ml.copywriting.ad_copy import BODY_LENGTH, HEADLINE_LENGTH, AdFacts, Copy
from ml.copywriting.lexicon import Lexicon, words_of

CLAIMS = re.compile(
    r"\b(award\w*|oscars?|prize\w*|winn\w*|won|best\w*|great\w*|classic\w*|masterpiece\w*|hit|hits|top|critic\w*|acclaim\w*|"
    r"famous|popular\w*|favou?rite\w*|must|new|newest|latest|exclusive\w*|original|unforgettable|perfect\w*|amazing|"
    r"free|price\w*|cheap\w*|discount\w*|sale|save|offer\w*|deal\w*|percent|bonus|limited|only|stars?|starring|starred|"
    r"cast|actors?|actress\w*|director\w*|directed|writer|written|novel|book|sequel|remake|true story|everyone|everybody|"
    r"million\w*|first|second|third|two|three|four|five|ten)\b|[%$€£]",
    re.IGNORECASE,
)
PROMISES = re.compile(
    r"\b(you(?:'ll|'re|'d| will| won't| can| are| get| need| must| should| deserve)|guarantee\w*|promise\w*|always|never|"
    r"will|forever|ever)\b",
    re.IGNORECASE,
)
ECHOES = re.compile(
    r"\b(title|year|kind|close to|headline|body|ad|advert\w*|facts?|example|system|user|assistant|sure|certainly|"
    r"here (?:is|are) (?:a|an|the|your|some))\s*:|<\||\|>|\b(?:language model|as an ai)\b",
    re.IGNORECASE,
)
PERSONAL = re.compile(r"@|https?:|www\.|\b(?=[0-9a-f]*[0-9])[0-9a-f]{8,}\b|\+?\d[\d ()/-]{6,}\d", re.IGNORECASE)
DANGLING = frozenset(re.findall(r"\w+", "a an and as at by for from if in is of on or so that the to with your"))
WORD = re.compile(r"[^\W_]+|~")  # ~ stands for a title


def _occurrences(phrase: str, text: str) -> list[str]:
    return re.findall(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE)


def _without(text: str, *phrases: str | None) -> str:
    """``text`` with the given phrases masked, the longest first.

    >>> _without("Alien is close to Alien 3", "Alien", "Alien 3")
    '~ is close to ~'
    """
    for phrase in sorted((p for p in phrases if p), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(phrase)}(?!\w)", "~", text, flags=re.IGNORECASE)
    return text


def _both(copy: Copy) -> str:
    return f"{copy.headline}\n{copy.body}"


def _own_words(copy: Copy, facts: AdFacts) -> str:
    """The text outside the titles."""
    return _without(_both(copy), facts.title, facts.liked)


def _sentences(text: str) -> Iterator[str]:
    return (part.strip() for part in re.split(r"[.!:\n]", text) if part.strip())


def fits(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> bool:
    """The headline has 1 to 60 characters, the body 1 to 200."""
    return 0 < len(copy.headline) <= HEADLINE_LENGTH and 0 < len(copy.body) <= BODY_LENGTH


def printable(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> bool:
    """Headline and body are one line each, of visible characters, without markup, doubled spaces or doubled punctuation."""
    odd = re.compile(r"\s\s|[<>{}\[\]|\\*_#~^`]|[,;:.!?]\s*[,;:!?]|\s[,.;:!?]")
    return all(
        part.isprintable()
        and part == part.strip()
        and not odd.search(_without(part, facts.title, facts.liked).replace("~", "x"))
        for part in (copy.headline, copy.body)
    )


def whole_sentences(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> bool:
    """The body ends in '.' or '!', and no sentence ends in a dangling word such as 'the', 'of' or 'and'."""
    if copy.body[-1:] not in (".", "!"):
        return False
    return all(
        WORD.findall(sentence)[-1].lower() not in DANGLING
        for sentence in _sentences(_without(_own_words(copy, facts), *facts.categories))
        if WORD.search(sentence)
    )


def names_the_title(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> bool:
    """The headline names the item."""
    return facts.title.casefold() in copy.headline.casefold()


def no_unknown_names(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> bool:
    """No capital letter inside a sentence, except in titles and categories."""
    rest = _without(_own_words(copy, facts), *facts.categories)
    return not any(word[0].isupper() for sentence in _sentences(rest) for word in WORD.findall(sentence)[1:])


def no_unknown_numbers(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> bool:
    """No number except the year, and that only in a phrase of the lexicon for the year."""
    forms = [] if facts.year is None else lexicon.forms("year_from", {"year": str(facts.year)})
    rest = _without(_own_words(copy, facts), *forms, *facts.categories)
    return not any(character.isnumeric() for character in rest)


def no_claims(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> bool:
    """No award, praise, price, person or spelled-out number."""
    return not CLAIMS.search(_own_words(copy, facts))


def no_promises(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> bool:
    """No promise to the reader."""
    return not PROMISES.search(_own_words(copy, facts))


def no_prompt_echo(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> bool:
    """No label, marker or chatter from the prompt."""
    return not ECHOES.search(_own_words(copy, facts))


def no_personal_data(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> bool:
    """No pseudonym, address, link or telephone number."""
    return not PERSONAL.search(_own_words(copy, facts))


def likeness_only(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> bool:
    """The other title is named only in a phrase of the lexicon for similar titles."""
    if facts.liked is None:
        return True
    rest = _without(_without(_both(copy), *lexicon.forms("near", {"liked": facts.liked})), facts.title)
    return not _occurrences(facts.liked, rest)


def plain_words(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> bool:
    """Every word comes from the facts or from the lexicon, whose words claim nothing."""
    known = lexicon.plain_words | lexicon.own_words(facts.categories) | {str(facts.year)}
    return words_of([_own_words(copy, facts)]) <= known


def said_once(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> bool:
    """No word of four or more letters repeats in a sentence, no four words of the headline in the body, no title in a line."""
    for sentence in _sentences(_own_words(copy, facts)):
        words = [word for word in WORD.findall(sentence.lower()) if len(word) >= 4]
        if len(set(words)) < len(words):
            return False
    runs = [
        {tuple(words[i : i + 4]) for i in range(len(words) - 3)}
        for words in (WORD.findall(_without(part, facts.title, facts.liked).lower()) for part in (copy.headline, copy.body))
    ]
    return not runs[0] & runs[1] and all(len(_occurrences(facts.title, part)) <= 1 for part in (copy.headline, copy.body))


Check = Callable[[Copy, AdFacts, Lexicon], bool]
GUARDS: dict[str, Check] = {
    check.__name__: check
    for check in (
        fits,
        printable,
        whole_sentences,
        names_the_title,
        no_unknown_names,
        no_unknown_numbers,
        no_claims,
        no_promises,
        no_prompt_echo,
        no_personal_data,
        likeness_only,
        plain_words,
        said_once,
    )
}


def failed_guards(copy: Copy, facts: AdFacts, lexicon: Lexicon) -> list[str]:
    """Names of the checks that ``copy`` fails; empty when it may be shown.

    Args:
        copy: headline and body.
        facts: of the ad.
        lexicon: the words that claim nothing.
    """
    return [name for name, check in GUARDS.items() if not check(copy, facts, lexicon)]
