"""Basics shared by all packages: settings, command line, errors, version, small files."""

from pkgutil import extend_path

# A logged model contains a copy of this package; an installed project supplies modules that the copy lacks.
__path__ = extend_path(__path__, __name__)
