"""PyIceberg's file access, for folders of any name."""

from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.typedef import EMPTY_DICT, Properties

from schemas.lake.storage import LOCAL, plain


class NamedFileIO(PyArrowFileIO):
    """Local locations are ``file://`` and the path as it is: ``#`` and ``?`` begin no fragment and no query."""

    @staticmethod
    def parse_location(location: str, properties: Properties = EMPTY_DICT) -> tuple[str, str, str]:
        """Scheme, host and path of a location.

        Args:
            location: an Iceberg location.
            properties: of the catalog.

        >>> NamedFileIO.parse_location("file:///a#b?c/d.parquet")
        ('file', '', '/a#b?c/d.parquet')
        """
        if location.startswith(LOCAL):
            return "file", "", plain(location)
        return PyArrowFileIO.parse_location(location, properties)
