"""How ad copy may speak: a grammar and the words of each category, read from a YAML of ``ml/copywriting/lexicons``.

No word of a lexicon claims anything about an item that its facts do not hold. So copy that keeps to an ad's facts and to its
lexicon can be plain, but cannot praise, invent a plot, name a person or promise a price. The language model writes within the
grammar (``ml.copywriting.guided_decoding``), and the checks (``ml.copywriting.guards``) know the words from here: neither
has a list of its own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import permutations
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from schemas.runtime.errors import ConfigError

DEFAULT = Path(__file__).parent / "lexicons" / "films.yaml"
REFERENCE = re.compile(r"\{(\w+)\}")
WORDS = re.compile(r"[^\W_]+")
FACTS = frozenset({"title", "year", "liked", "a_kind", "mood"})
REQUIRED = frozenset({"headline", "body", "near", "year_from"})


class Category(BaseModel):
    """What a category's name stands for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    noun: str
    adjective: str | None = None
    moods: tuple[str, ...] = ()


class Lexicon(BaseModel):
    """``noun`` is what an item is called, such as a film; ``rules`` the grammar; ``categories`` the words of each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    noun: str
    rules: dict[str, tuple[str, ...]]
    categories: dict[str, Category]

    @model_validator(mode="after")
    def _whole(self) -> "Lexicon":
        """Every name that a rule uses is a rule or a fact, and no rule leads back to itself."""
        if missing := REQUIRED - self.rules.keys():
            raise ValueError(f"rules {', '.join(sorted(missing))} are missing")
        for name in self.rules:
            self._walk(name, ())
        return self

    def _walk(self, name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"rule {name} leads back to itself")
        for alternative in self.rules[name]:
            for reference in REFERENCE.findall(alternative):
                if reference.lower() in self.rules:
                    self._walk(reference.lower(), (*above, name))
                elif reference.lower() not in FACTS:
                    raise ValueError(f"rule {name} speaks of {{{reference}}}, which is neither a rule nor a fact")

    def kinds(self, categories: Sequence[str]) -> list[str]:
        """Ways to say what an item of these categories is, each with its article: 'a comedy', 'a romantic comedy'."""
        known = [self.categories[name] for name in categories if name in self.categories]
        nouns = [category.noun for category in known]
        pairs = [f"{a.adjective} {b.noun}" for a, b in permutations(known, 2) if a.adjective]
        unknown = [f"{self.noun} ({name})" for name in categories if name not in self.categories]
        return [with_article(kind) for kind in nouns + pairs + unknown] or [with_article(self.noun)]

    def moods(self, categories: Sequence[str]) -> list[str]:
        """What one watches items of these categories for: 'romance', 'romance and laughter'."""
        by_category = [self.categories[name].moods for name in categories if name in self.categories]
        single = [mood for moods in by_category for mood in moods]
        pairs = [f"{x} and {y}" for a, b in permutations(by_category, 2) for x in a for y in b]
        return single + pairs

    @cached_property
    def plain_words(self) -> frozenset[str]:
        """The words of all rules, in lower case: they may stand in any ad."""
        return frozenset(words_of(REFERENCE.sub(" ", text) for rule in self.rules.values() for text in rule)) | {
            *words_of([self.noun]),
            "a",
            "an",
            "and",
        }

    def own_words(self, categories: Sequence[str]) -> frozenset[str]:
        """The words that an item's categories allow: their names and what they stand for."""
        return frozenset(words_of([*categories, *self.kinds(categories), *self.moods(categories)]))

    def forms(self, rule: str, facts: Mapping[str, str]) -> list[str]:
        """The alternatives of a rule that need nothing but facts, filled in."""
        return [text.format(**facts) for text in self.rules[rule]]


def with_article(noun: str) -> str:
    """'a comedy', 'an action film'."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def words_of(texts: Sequence[str] | Iterator[str]) -> set[str]:
    """The words of texts, in lower case."""
    return {word.lower() for text in texts for word in WORDS.findall(text)}


@lru_cache(maxsize=4)
def load_lexicon(path: Path = DEFAULT) -> Lexicon:
    """Read and check a lexicon.

    Raises:
        ConfigError: the file is missing or not of this form.
    """
    try:
        return Lexicon.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()
    except (OSError, yaml.YAMLError) as error:
        what = " ".join(str(error).split())
    raise ConfigError(f"the lexicon cannot be read ({what}); {path}; correct it after {DEFAULT.name}")
