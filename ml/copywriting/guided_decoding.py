"""Guided decoding: the language model writes an ad token by token, with only the tokens that the lexicon's grammar allows.

A model this small invents plots, actors and awards when it is unguided. Here the model still chooses each token by its own
probabilities, but only among tokens that keep the ad inside the grammar, filled with the ad's facts, and within its length.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from transformers import LogitsProcessor

from ml.copywriting.ad_copy import BODY_LENGTH, HEADLINE_LENGTH, AdFacts
from ml.copywriting.lexicon import Lexicon, words_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# A word keeps its apostrophes and hyphens; a punctuation mark is its own piece. Tokenizers split there too.
PIECES = re.compile(r"\s*(?:[^\W_]+(?:['’-][^\W_]+)*|[^\w\s])")
SLOTS = re.compile(r"(\{\w+\})")
FINAL: Literal[0] = 0
NOTABLE = 4  # a word of so many letters is noticed when it is repeated
REPETITION = 6.0  # penalty for repeating such a word, in logits: repetition is avoided, not forbidden


@dataclass(frozen=True)
class Edge:
    """A piece of text between two nodes of a line's graph. ``words`` are those whose repetition is noticed."""

    tokens: tuple[int, ...]
    characters: int
    target: int
    words: frozenset[str] = frozenset()


class Tokens:
    """Caches the tokens of texts, and holds the tokens that end a line and an ad."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._encode = tokenizer.encode
        self._known: dict[str, tuple[int, ...]] = {}
        self.newline = self("\n")
        self.end = (int(tokenizer.eos_token_id),)

    def __call__(self, text: str) -> tuple[int, ...]:
        if text not in self._known:
            self._known[text] = tuple(self._encode(text, add_special_tokens=False))
        return self._known[text]


class Line:
    """All texts of a rule of the grammar for an ad's facts, as an acyclic graph of pieces. Node 0 is the end."""

    def __init__(self, rule: str, facts: AdFacts, lexicon: Lexicon, tokens: Tokens, limit: int) -> None:
        self.limit = limit
        self._tokens = tokens
        self._texts = {
            "title": [facts.title],
            "year": [] if facts.year is None else [str(facts.year)],
            "liked": [] if facts.liked is None else [facts.liked],
            "a_kind": lexicon.kinds(facts.categories),
            "mood": lexicon.moods(facts.categories),
        }
        self._rules = {name: self._possible(name, lexicon) for name in lexicon.rules}
        self.edges: list[list[Edge]] = [[]]
        self.shortest: list[int] = [0]  # fewest characters from each node to the end
        self.certain: list[frozenset[str]] = [frozenset()]  # words on every path from a node to the end
        self._ways: dict[tuple[str, int, bool], int] = {}
        self.start = self._rule(rule, FINAL, space=False)

    def _possible(self, name: str, lexicon: Lexicon) -> list[str]:
        """The alternatives of a rule for which the ad has the facts."""

        def can_be_said(text: str) -> bool:
            slots = [slot[1:-1].lower() for slot in SLOTS.findall(text)]
            return all(self._texts[s] if s in self._texts else self._possible(s, lexicon) for s in slots)

        return [text for text in lexicon.rules[name] if can_be_said(text)]

    # The graph is built from the end backwards: each method returns the node from which its text leads to ``target``.

    def _rule(self, name: str, target: int, space: bool) -> int:
        key = (name, target, space)
        if key not in self._ways:
            plain = name.lower()
            if plain in self._texts:
                texts = [text if name == plain else capital(text) for text in self._texts[plain]]
                starts = [self._piece(text, target, space) for text in texts]
            else:
                texts = [text if name == plain else capital_slot(text) for text in self._rules[plain]]
                starts = [self._sequence(text, target, space) for text in texts]
            self._ways[key] = self._node([edge for start in starts for edge in self.edges[start]])
        return self._ways[key]

    def _sequence(self, text: str, target: int, space: bool) -> int:
        parts = [part for part in SLOTS.split(text) if part]
        spaces = [space, *(part.endswith(" ") for part in parts[:-1])]
        for part, before in reversed(list(zip(parts, spaces, strict=True))):
            if part.startswith("{"):
                target = self._rule(part[1:-1], target, before)
                continue
            pieces = PIECES.findall(part)
            for index in range(len(pieces) - 1, -1, -1):
                target = self._piece(pieces[index].strip(), target, pieces[index][0] == " " or (before and index == 0))
        return target

    def _piece(self, text: str, target: int, space: bool) -> int:
        said = f" {text}" if space else text
        words = frozenset(word for word in words_of([text]) if len(word) >= NOTABLE)
        return self._node([Edge(self._tokens(said), len(said), target, words)])

    def _node(self, edges: list[Edge]) -> int:
        self.edges.append(edges)
        self.shortest.append(min(edge.characters + self.shortest[edge.target] for edge in edges))
        self.certain.append(frozenset.intersection(*(edge.words | self.certain[edge.target] for edge in edges)))
        return len(self.edges) - 1


def capital(text: str) -> str:
    """The text with a capital letter.

    >>> capital("a comedy")
    'A comedy'
    """
    return text[:1].upper() + text[1:]


def capital_slot(text: str) -> str:
    """The text with a capital letter, also if it begins with the name of a rule.

    >>> capital_slot("{mood} tonight")
    '{Mood} tonight'
    """
    return "{" + capital(text[1:]) if text.startswith("{") else capital(text)


@dataclass(frozen=True)
class Hypothesis:
    """A reading of the tokens so far: inside an edge, at a token; ``characters`` of the line count up to the edge's end."""

    edge: Edge
    position: int
    characters: int


class Writer:
    """The state of one ad in the grammar: feed it the tokens that were written, and it lists those that may follow."""

    def __init__(self, facts: AdFacts, lexicon: Lexicon, tokens: Tokens) -> None:
        self._tokens = tokens
        self._lines = [
            Line("headline", facts, lexicon, tokens, HEADLINE_LENGTH),
            Line("body", facts, lexicon, tokens, BODY_LENGTH),
        ]
        self._said: frozenset[str] = frozenset()
        self._open = self._from(self._lines[0].start, 0)

    def _from(self, node: int, characters: int) -> set[Hypothesis]:
        """The edges from a node that keep within the line's length."""
        line = self._lines[0]
        if node == FINAL:
            ending = self._tokens.newline if len(self._lines) > 1 else self._tokens.end
            return {Hypothesis(Edge(ending, 0, FINAL), 0, -1)}
        return {
            Hypothesis(edge, 0, characters + edge.characters)
            for edge in line.edges[node]
            if characters + edge.characters + line.shortest[edge.target] <= line.limit
        }

    def following(self) -> dict[int, bool]:
        """Tokens that may come next, and whether each leads to a repeated word; the end token once the ad is complete."""
        ways: dict[int, bool] = {}
        for h in self._open:
            token = h.edge.tokens[h.position]
            ways[token] = ways.get(token, True) and self._repeats(h.edge)
        return ways or {self._tokens.end[0]: False}

    def _repeats(self, edge: Edge) -> bool:
        to_come = self._lines[0].certain[edge.target]
        return bool((edge.words | to_come) & self._said or edge.words & to_come)

    def feed(self, token: int) -> None:
        """Advance by the token that was written."""
        matching = [h for h in self._open if h.edge.tokens[h.position] == token]
        self._open = set()
        for h in matching:
            if h.position + 1 < len(h.edge.tokens):
                self._open.add(Hypothesis(h.edge, h.position + 1, h.characters))
            elif h.characters >= 0:
                self._said |= h.edge.words
                self._open |= self._from(h.edge.target, h.characters)
            elif len(self._lines) > 1:  # the line is complete: continue with the next
                self._lines = self._lines[1:]
                self._open |= self._from(self._lines[0].start, 0)


class Guide(LogitsProcessor):
    """Restricts every ad of a batch to the tokens that its writer allows."""

    def __init__(self, writers: list[Writer], prompt_tokens: int) -> None:
        self.writers = writers
        self.seen = prompt_tokens

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        masked_BV = torch.full_like(scores, -torch.inf)
        for row, writer in enumerate(self.writers):
            for token in input_ids[row, self.seen :].tolist():
                writer.feed(token)
            ways = sorted(writer.following().items())
            allowed = torch.tensor([token for token, _ in ways], device=scores.device)
            penalty = torch.tensor([REPETITION * repeats for _, repeats in ways], device=scores.device)
            masked_BV[row, allowed] = scores[row, allowed] - penalty
        self.seen = input_ids.shape[1]
        return masked_BV  # type: ignore[return-value]


class SeededNoise(LogitsProcessor):
    """Sampling by the Gumbel trick, with noise from each ad's own seed, so that no text depends on the rest of the batch.

    The best of (log p / temperature + Gumbel noise) is a sample of softmax(log p / temperature), so decoding can stay greedy.
    """

    def __init__(self, seeds: list[int], temperature: float) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.temperature = temperature

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        noisy_BV = scores / self.temperature
        for row, generator in enumerate(self.generators):
            possible = torch.isfinite(scores[row]).nonzero().squeeze(1)
            uniform = torch.rand(len(possible), generator=generator).clamp(1e-7, 1 - 1e-7).to(scores.device)
            noisy_BV[row, possible] -= torch.log(-torch.log(uniform))
        return noisy_BV  # type: ignore[return-value]
