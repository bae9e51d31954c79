"""A tiny untrained language model for tests of the copywriter; it writes copy quickly.

It has the tokens and the chat template of the packaged model; guided decoding turns its random output into sentences.
``python -m tests.browser.tiny_language_model FOLDER``
"""

import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from ml.copywriting.smollm2 import gguf_file, quick_gguf


def save(folder: Path) -> None:
    torch.manual_seed(7)
    file = gguf_file()
    with quick_gguf():
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **shape, **ends)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    save(Path(sys.argv[1]))
