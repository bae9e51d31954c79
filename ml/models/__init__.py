"""Recipes: the baselines, the sequential transformer and their hybrid, all with the interface of :class:`Recommender`.

What other code and logged models import from here stays importable: :mod:`ml.models.recipes` holds it.
"""

from pkgutil import extend_path

# A logged model carries this package as it was; where the project is at hand too, it has the rest.
__path__ = extend_path(__path__, __name__)

from ml.models.base import Recommender
from ml.models.recipes import (
    ITEMS_FILE,
    RECIPES,
    SHORT_HISTORIES,
    VARIANTS,
    build,
    load_recommender,
    recipe,
    save_recommender,
)

__all__ = [
    "ITEMS_FILE",
    "RECIPES",
    "SHORT_HISTORIES",
    "VARIANTS",
    "Recommender",
    "build",
    "load_recommender",
    "recipe",
    "save_recommender",
]
