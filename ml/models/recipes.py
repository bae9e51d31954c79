"""The recipes by name, and the folder that a fitted model lives in.

A model's folder holds ``recommender.json`` (recipe and settings), safetensors, and ``items.json`` (item ids in index order).
Adding a recipe is adding a file here and a line to ``_PLACES``.
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from ml.models.base import Library, Recommender, read_config
from schemas.runtime.errors import ConfigError
from schemas.runtime.local_files import digest

ITEMS_FILE = "items.json"
SHORT_HISTORIES: dict[str, Any] = {
    "width": 128,
    "max_length": 50,
    "dropout": 0.5,
    "batch_size": 64,
    "learning_rate": 1e-3,
    "weight_decay": 0.0,
    "max_epochs": 14,
    "patience": 5,
    "start_length": 0.5,
}
"""Of the transformer where many users have a few events each; its defaults are for long histories of few users."""
# Named, not imported, so that a command that needs no PyTorch does not wait for it.
_PLACES = {
    "popularity": ("ml.models.popularity", "Popularity"),
    "markov": ("ml.models.markov", "Markov"),
    "item_knn": ("ml.models.item_knn", "ItemKNN"),
    "content": ("ml.models.content", "Content"),
    "cooccurrence": ("ml.models.cooccurrence", "Cooccurrence"),
    "als": ("ml.models.als", "ALS"),
    "transformer": ("ml.models.transformer.recommender", "Transformer"),
    "hybrid": ("ml.models.hybrid", "Hybrid"),
}
_VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "transformer_short": ("transformer", SHORT_HISTORIES),
    "hybrid_short": (
        "hybrid",
        {"members": {"transformer": SHORT_HISTORIES, "als": {}, "cooccurrence": {}, "markov": {}}},
    ),
}
"""Recipes that are another one with settings of its own."""
RECIPES = tuple(_PLACES)
"""The names, simplest first."""
VARIANTS = tuple(_VARIANTS)


def recipe(name: str) -> type[Recommender]:
    """The class of a recipe.

    Raises:
        ConfigError: there is none of this name.
    """
    name, _ = _VARIANTS.get(name, (name, {}))
    if name not in _PLACES:
        raise ConfigError(f"unknown recipe {name!r}; in --recipes; use some of {', '.join(RECIPES + VARIANTS)}")
    module, attribute = _PLACES[name]
    found: type[Recommender] = getattr(import_module(module), attribute)
    return found


def build(name: str, library: Library | None = None, **settings: Any) -> Recommender:
    """A model of a recipe, not fitted; ``settings`` go before the recipe's own.

    Args:
        library: where a blend finds members that were fitted before.

    Raises:
        ConfigError: there is none of this name.
    """
    model = recipe(name)(**{**_VARIANTS.get(name, ("", {}))[1], **settings})
    model.library = library
    return model


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


__all__ = ["RECIPES", "VARIANTS", "Recommender", "build", "digest", "load_recommender", "recipe", "save_recommender"]
