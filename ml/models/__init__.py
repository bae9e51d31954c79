"""Recipes: the baselines, the sequential transformer and their hybrid, all with the interface of :class:`Recommender`.

Other code and logged models import these names from here; they are defined in :mod:`ml.models.recipes`.
"""

from pkgutil import extend_path

# A logged model contains a copy of this package; where the project is installed, the rest comes from there.
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
