"""The recipes by name, and the folder of a fitted model.

A model's folder holds ``recommender.json`` (recipe and settings), safetensors, and ``items.json`` (item ids in index order).
To add a recipe, add a file here and a line to ``_PLACES``.
"""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from ml.models.base import FittedModels, Recommender, read_config
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
"""Transformer settings for many users with few events each; its defaults suit few users with long histories."""
# Imported on demand, so that a command without the transformer does not wait for PyTorch.
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
"""Recipes that consist of another recipe with its own settings."""
RECIPES = tuple(_PLACES)
"""The names, simplest first."""
VARIANTS = tuple(_VARIANTS)


def recipe(name: str) -> type[Recommender]:
    """The class of a recipe or variant.

    Raises:
        ConfigError: the name is unknown.

    >>> recipe("popularity").complexity
    0
    """
    name, _ = _VARIANTS.get(name, (name, {}))
    if name not in _PLACES:
        raise ConfigError(f"unknown recipe {name!r}; in --recipes; use any of {', '.join(RECIPES + VARIANTS)}")
    module, attribute = _PLACES[name]
    found: type[Recommender] = getattr(import_module(module), attribute)
    return found


def build(name: str, library: FittedModels | None = None, **settings: Any) -> Recommender:
    """An unfitted model of a recipe.

    Args:
        name: of a recipe or variant.
        library: fitted models, among which a hybrid finds its members.
        settings: override those of the recipe.

    Raises:
        ConfigError: the name is unknown.

    >>> build("markov", smoothing=2.0).settings["smoothing"]
    2.0
    """
    model = recipe(name)(**{**_VARIANTS.get(name, ("", {}))[1], **settings})
    model.library = library
    return model


def save_recommender(model: Recommender, item_ids: list[str], directory: Path) -> str:
    """Write a model and its item ids; returns the digest of all files.

    Args:
        model: fitted.
        item_ids: the ids of its catalogue, in index order.
        directory: the folder of the model.
    """
    model.save(directory)
    (directory / ITEMS_FILE).write_text(json.dumps(item_ids), encoding="utf-8")
    return digest(directory)


def load_recommender(directory: Path) -> tuple[Recommender, list[str]]:
    """Read a model and its item ids, without unpickling anything."""
    name = read_config(directory)["recipe"]
    item_ids: list[str] = json.loads((directory / ITEMS_FILE).read_text(encoding="utf-8"))
    return recipe(name).load(directory), item_ids
