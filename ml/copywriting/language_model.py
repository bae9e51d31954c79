"""The language model: facts in, two lines of copy out, the same for the same facts and seed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ml.copywriting.ad_copy import AdFacts, Copy
from ml.copywriting.lexicon import Lexicon
from ml.text.pretrained import quiet_transformers
from schemas.runtime.errors import ConfigError

MAX_NEW_TOKENS = 120
# The grammar bounds the text, so the temperature can be high; at a low one nearly all ads would begin alike.
TEMPERATURE = 2.0
UNGUIDED_TEMPERATURE = 0.7
SYSTEM = "You write {noun} ads in two lines: a headline with the title, then two short sentences."


def prompt(facts: AdFacts) -> str:
    """The user's prompt: the facts, one per line.

    >>> print(prompt(AdFacts("Alien", 1979, ("Horror", "Sci-Fi"))))
    Title: Alien
    Year: 1979
    Kind: Horror, Sci-Fi
    """
    lines = [f"Title: {facts.title}"]
    if facts.year is not None:
        lines.append(f"Year: {facts.year}")
    if facts.categories:
        lines.append(f"Kind: {', '.join(facts.categories)}")
    if facts.liked is not None:
        lines.append(f"Close to: {facts.liked}")
    return "\n".join(lines)


class LanguageModel:
    """A causal language model of Transformers, on CUDA if available."""

    def __init__(self, source: str | Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        quiet_transformers()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(source, local_files_only=True)
            model: Any = AutoModelForCausalLM.from_pretrained(source, local_files_only=True, dtype=torch.float32)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"the language model cannot be read ({str(error).splitlines()[0]}); at {source}; "
                "run `python -m ml.prepare_models`, or point CLICKWRIGHT_LANGUAGE_MODEL to a folder of Transformers"
            ) from error
        self.model = model.to(device)
        if device == "cpu":
            # Steps are short: on a busy machine threads would wait for each other longer than they work.
            torch.set_num_threads(1)
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token

    def write(self, facts: Sequence[AdFacts], seeds: Sequence[int], lexicon: Lexicon, guided: bool = True) -> list[Copy]:
        """Copy for each of the facts; the same facts, seed and model give the same copy in every batch.

        Args:
            facts: one per ad.
            seeds: one per ad.
            lexicon: the grammar.
            guided: keep to the grammar. Without it the model invents, and nearly no text passes the checks.
        """
        import torch
        from transformers import LogitsProcessorList

        from ml.copywriting.guided_decoding import Guide, SeededNoise, Tokens, Writer

        chats = [
            [
                {"role": "system", "content": SYSTEM.format(noun=lexicon.noun)},
                {"role": "user", "content": prompt(one)},
            ]
            for one in facts
        ]
        batch = self.tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        ).to(self.model.device)
        length = batch["input_ids"].shape[1]
        processors = LogitsProcessorList()
        if guided:
            tokens = Tokens(self.tokenizer)
            processors.append(Guide([Writer(one, lexicon, tokens) for one in facts], length))
        processors.append(SeededNoise(list(seeds), TEMPERATURE if guided else UNGUIDED_TEMPERATURE))
        with torch.inference_mode():
            output = self.model.generate(**batch, max_new_tokens=MAX_NEW_TOKENS, do_sample=False, logits_processor=processors)
        return [two_lines(self.tokenizer.decode(row[length:], skip_special_tokens=True)) for row in output]


def two_lines(text: str) -> Copy:
    r"""The model's text as headline and body.

    >>> two_lines("Alien: a horror film\nPress play tonight.")
    Copy(headline='Alien: a horror film', body='Press play tonight.')
    """
    headline, _, body = text.strip().partition("\n")
    return Copy(headline.strip(), " ".join(body.split()))
