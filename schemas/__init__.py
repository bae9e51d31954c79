"""Table contracts, the rules and audit suites made from them, and the lake that enforces them."""

from pkgutil import extend_path

# A logged model contains only part of this package (ml.tracking.model_package); an installed project supplies the rest.
__path__ = extend_path(__path__, __name__)
