"""Lexicons of ad copy: a grammar and the words of each category, read from a YAML file of ``ml/copywriting/lexicons``.

A lexicon's words claim nothing about an item beyond its facts. So copy that keeps to the facts and the lexicon may be plain,
but cannot praise, invent a plot, name a person or promise a price. The language model writes within the grammar
(``ml.copywriting.guided_decoding``), and the checks (``ml.copywriting.guards``) take their words from here: neither has a list
of its own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import permutations
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from schemas.runtime.errors import ConfigError

FOLDER = Path(__file__).parent / "lexicons"
DEFAULT = FOLDER / "films.yaml"
REFERENCE = re.compile(r"\{(\w+)\}")
WORDS = re.compile(r"[^\W_]+")
FACTS = frozenset({"title", "year", "liked", "a_kind", "mood"})
REQUIRED = frozenset({"headline", "body", "near", "year_from"})


class Category(BaseModel):
    """The words for a category."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    noun: str
    adjective: str | None = None
    moods: tuple[str, ...] = ()


class Lexicon(BaseModel):
    """``noun`` names an item, such as film; ``rules`` is the grammar; ``categories`` holds the words of each category."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    noun: str
    rules: dict[str, tuple[str, ...]]
    categories: dict[str, Category]

    @model_validator(mode="after")
    def _whole(self) -> "Lexicon":
        """Check that every name in a rule is a rule or a fact, and that no rule leads back to itself."""
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
                    raise ValueError(f"rule {name} uses {{{reference}}}, which is neither a rule nor a fact")

    def kinds(self, categories: Sequence[str]) -> list[str]:
        """Phrases for an item of these categories, each with its article: 'a comedy', 'a romantic comedy'."""
        known = [self.categories[name] for name in categories if name in self.categories]
        nouns = [category.noun for category in known]
        pairs = [f"{a.adjective} {b.noun}" for a, b in permutations(known, 2) if a.adjective]
        unknown = [f"{self.noun} ({name})" for name in categories if name not in self.categories]
        return [with_article(kind) for kind in nouns + pairs + unknown] or [with_article(self.noun)]

    def moods(self, categories: Sequence[str]) -> list[str]:
        """The moods of these categories, single and in pairs: 'romance', 'romance and laughter'."""
        by_category = [self.categories[name].moods for name in categories if name in self.categories]
        single = [mood for moods in by_category for mood in moods]
        pairs = [f"{x} and {y}" for a, b in permutations(by_category, 2) for x in a for y in b]
        return single + pairs

    @cached_property
    def plain_words(self) -> frozenset[str]:
        """The words of all rules, in lower case; any ad may use them."""
        return frozenset(words_of(REFERENCE.sub(" ", text) for rule in self.rules.values() for text in rule)) | {
            *words_of([self.noun]),
            "a",
            "an",
            "and",
        }

    def own_words(self, categories: Sequence[str]) -> frozenset[str]:
        """The words that an item's categories allow: their names, phrases and moods."""
        return frozenset(words_of([*categories, *self.kinds(categories), *self.moods(categories)]))

    def forms(self, rule: str, facts: Mapping[str, str]) -> list[str]:
        """The alternatives of a rule that contains only facts, with the facts filled in.

        Args:
            rule: name of the rule.
            facts: values by name.
        """
        return [text.format(**facts) for text in self.rules[rule]]


def lexicon_for(categories: Sequence[str], lexicons: Sequence[Lexicon]) -> Lexicon:
    """The lexicon that knows most of an item's categories; of equal ones, and for unknown categories, the first.

    Args:
        categories: of the item.
        lexicons: at least one.

    >>> [lexicon_for(names, packaged()).noun for names in (["Drama"], ["Kitchen", "Cooking"], [])]
    ['film', 'product', 'film']
    """
    return max(lexicons, key=lambda lexicon: len(lexicon.categories.keys() & set(categories)))


def packaged() -> list[Lexicon]:
    """The lexicons of this package: that of films first, the others by name."""
    return [load_lexicon(path) for path in sorted(FOLDER.glob("*.yaml"), key=lambda path: (path != DEFAULT, path.name))]


def with_article(noun: str) -> str:
    """The noun with its indefinite article.

    >>> with_article("comedy"), with_article("action film")
    ('a comedy', 'an action film')
    """
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def words_of(texts: Sequence[str] | Iterator[str]) -> set[str]:
    """The words of texts, in lower case.

    >>> sorted(words_of(["A comedy", "a film"]))
    ['a', 'comedy', 'film']
    """
    return {word.lower() for text in texts for word in WORDS.findall(text)}


@lru_cache(maxsize=4)
def load_lexicon(path: Path = DEFAULT) -> Lexicon:
    """Read and check a lexicon.

    Raises:
        ConfigError: the file is missing or invalid.
    """
    try:
        return Lexicon.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc']))} {first['msg']}".strip()
    except (OSError, yaml.YAMLError) as error:
        what = " ".join(str(error).split())
    raise ConfigError(f"the lexicon cannot be read ({what}); {path}; correct it to the form of {DEFAULT.name}")
