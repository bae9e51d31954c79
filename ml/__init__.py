"""Sequences, models, training, evaluation, promotion, batch inference, ad copy."""

from pkgutil import extend_path

# A logged model carries a part of this package (ml.tracking.model_package); where the project is at hand too, it has the rest.
__path__ = extend_path(__path__, __name__)
