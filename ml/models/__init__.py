"""The recipes by name, and the folder that a fitted model lives in.

A model's folder holds ``recommender.json`` (recipe and settings), safetensors, and ``items.json`` (item ids in index order).
Adding a recipe is adding a file here and a line to ``_PLACES``.
"""

import hashlib
import json
from importlib import import_module
from pathlib import Path

from ml.models.base import Recommender, read_config
from schemas.errors import ConfigError

ITEMS_FILE = "items.json"
# Named, not imported, so that a command that needs no PyTorch does not wait for it.
_PLACES = {
    "popularity": ("ml.models.popularity", "Popularity"),
    "markov": ("ml.models.markov", "Markov"),
    "item_knn": ("ml.models.item_knn", "ItemKNN"),
    "cooccurrence": ("ml.models.cooccurrence", "Cooccurrence"),
    "transformer": ("ml.models.transformer", "Transformer"),
}
RECIPES = tuple(_PLACES)
"""The names, simplest first."""


def recipe(name: str) -> type[Recommender]:
    """The class of a recipe.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in _PLACES:
        raise ConfigError(f"unknown recipe {name!r}; in --recipes; use some of {', '.join(RECIPES)}")
    module, attribute = _PLACES[name]
    found: type[Recommender] = getattr(import_module(module), attribute)
    return found


def save_recommender(model: Recommender, item_ids: list[str], directory: Path) -> str:
    """Write a model with the ids that its indices mean; returns the digest of all files."""
    model.save(directory)
    (directory / ITEMS_FILE).write_text(json.dumps(item_ids))
    return digest(directory)


def load_recommender(directory: Path) -> tuple[Recommender, list[str]]:
    """Read a model and its item ids. Nothing is unpickled."""
    name = read_config(directory)["recipe"]
    item_ids: list[str] = json.loads((directory / ITEMS_FILE).read_text())
    return recipe(name).load(directory), item_ids


def digest(directory: Path) -> str:
    """SHA-256 over names and contents of a model's files: the same digest, the same model."""
    total = hashlib.sha256()
    for path in sorted(directory.iterdir()):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


__all__ = ["RECIPES", "Recommender", "digest", "load_recommender", "recipe", "save_recommender"]
