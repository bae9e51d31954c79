"""Guided decoding with a tokenizer of one token per character."""

import random
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from ml.copywriting.ad_copy import BODY_LENGTH, HEADLINE_LENGTH, AdFacts, Copy
from ml.copywriting.guards import failed_guards
from ml.copywriting.guided_decoding import Guide, SeededNoise, Tokens, Writer
from ml.copywriting.lexicon import Lexicon, load_lexicon
from schemas.runtime.errors import ConfigError

pytestmark = pytest.mark.slow

END = 3


class Letters:
    """A tokenizer: a token is a character's code point."""

    eos_token_id = END

    def encode(self, text: str, **_: Any) -> list[int]:
        return [ord(character) for character in text]


ADS = [
    AdFacts("Alien", 1979, ("Action", "Horror", "Sci-Fi", "Thriller"), "The Terminator"),
    AdFacts("Microcosmos", 1996, ("Documentary",)),
    AdFacts("A title without any other fact"),
    AdFacts("A Very Long Title, One That Fills Most of the Line", None, ("Drama",)),
    AdFacts("Children's Hour", 1961, ("Children's", "Unheard-of 7")),
]


def written(facts: AdFacts, seed: int) -> str:
    """An ad of random permitted characters."""
    rng = random.Random(seed)
    writer = Writer(facts, load_lexicon(), Tokens(Letters()))
    tokens: list[int] = []
    while not tokens or tokens[-1] != END:
        tokens.append(rng.choice(sorted(writer.following())))
        writer.feed(tokens[-1])
    return "".join(map(chr, tokens[:-1]))


@pytest.mark.parametrize("facts", ADS, ids=lambda facts: facts.title[:12])
def test_any_choice_of_tokens_gives_valid_copy(facts: AdFacts) -> None:
    texts = {written(facts, seed) for seed in range(30)}
    assert len(texts) > 20
    for text in texts:
        headline, body = text.split("\n")
        assert len(headline) <= HEADLINE_LENGTH
        assert len(body) <= BODY_LENGTH
        # Only repetition is left to the model.
        assert set(failed_guards(Copy(headline, body), facts, load_lexicon())) <= {"said_once"}, text


def test_a_repeated_word_is_recognised() -> None:
    writer = Writer(ADS[0], load_lexicon(), Tokens(Letters()))
    for character in "Alien: a horror film for tonight\n":
        writer.feed(ord(character))
    for character in "A ":
        writer.feed(ord(character))
    ways = {chr(token): repeats for token, repeats in writer.following().items()}
    assert ways["h"]  # horror was in the headline
    assert not ways["t"]  # thriller was not


def test_the_guide_masks_all_other_tokens() -> None:
    writer = Writer(ADS[1], load_lexicon(), Tokens(Letters()))
    allowed = writer.following()
    scores = Guide([writer], 4)(torch.zeros((1, 4), dtype=torch.long), torch.zeros((1, 200)))  # type: ignore[arg-type]
    assert set(torch.isfinite(scores[0]).nonzero().squeeze(1).tolist()) == set(allowed)


def test_noise_depends_on_the_seed_alone() -> None:
    scores = torch.zeros((2, 50))
    ids = torch.zeros((2, 1), dtype=torch.long)
    together = SeededNoise([1, 2], 1.0)(ids, scores)  # type: ignore[arg-type]
    alone = SeededNoise([2], 1.0)(ids[:1], scores[:1])  # type: ignore[arg-type]
    assert torch.equal(together[1], alone[0])
    assert not torch.equal(together[0], together[1])


def test_a_circular_lexicon_is_refused() -> None:
    rules = {"headline": ("{title}",), "body": ("{a}.",), "a": ("{body}",), "near": ("x",), "year_from": ("x",)}
    with pytest.raises(ValidationError, match="leads back to itself"):
        Lexicon(noun="film", rules=rules, categories={})
    with pytest.raises(ValidationError, match=r"uses \{director\}"):
        Lexicon(noun="film", rules={**rules, "a": ("by {director}",)}, categories={})


def test_an_unreadable_lexicon_is_one_clear_error(tmp_path: Any) -> None:
    file = tmp_path / "shoes.yaml"
    file.write_text("noun: shoe\n")
    with pytest.raises(ConfigError, match=r"rules Field required\); .*shoes.yaml; correct it to the form of films.yaml"):
        load_lexicon(file)
