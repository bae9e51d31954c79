"""Threads of this machine, and the processes that share a training."""

from pkgutil import extend_path

# A logged model carries this package as it was; where the project is at hand too, it has the rest.
__path__ = extend_path(__path__, __name__)
