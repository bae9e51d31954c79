"""Interactions, catalogue and cases as arrays, read from the lake; splits by time."""

from pkgutil import extend_path

# A logged model contains a copy of this package; where the project is installed, the rest comes from there.
__path__ = extend_path(__path__, __name__)
