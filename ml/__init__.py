"""The recommender: data, models, training, evaluation, promotion, batch inference and ad copy."""

from pkgutil import extend_path

# A logged model ships a part of this package (ml.tracking.model_package); an installed project supplies the rest.
__path__ = extend_path(__path__, __name__)
