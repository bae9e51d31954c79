"""What every table is: contracts, the rules and suites made from them, and the lake that holds the tables to them."""

from pkgutil import extend_path

# A logged model carries a part of this package (ml.tracking.model_package); where the project is at hand too, it has the rest.
__path__ = extend_path(__path__, __name__)
