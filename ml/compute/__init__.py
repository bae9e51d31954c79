"""Threads of this machine, and processes that train together."""

from pkgutil import extend_path

# A logged model contains a copy of this package; where the project is installed, the rest comes from there.
__path__ = extend_path(__path__, __name__)
