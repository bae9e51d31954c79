"""How large a landing file may become: a few kilobytes, compressed or encoded, may stand for gigabytes.

A file that becomes larger is rejected as a whole, before any of its lines is read. The measurement ends at the bound, so it
costs neither the time nor the memory of the whole file.
"""

from dataclasses import dataclass
from pathlib import Path

from jobs.landing.readers.compression import compression_of, uncompressed
from schemas.runtime.setting_groups import SourceSettings

FREE_BYTES = 16 << 20
"""A file may always become as large as this: small files of equal lines compress extremely well."""
FREE_LINES = 100_000
"""A file may always have as many lines as this. """
LINES_A_BYTE = 2
"""Beyond that, a line needs half a stored byte: its time and ids differ from those of the others."""
PIECE = 1 << 20

_default = SourceSettings.model_fields


@dataclass(frozen=True)
class Bounds:
    """The bounds of one landing file; the defaults are those of the settings.

    >>> bounds = Bounds(gigabytes=1, ratio=100)
    >>> bounds.bytes_of(2_400), bounds.bytes_of(1 << 20), bounds.bytes_of(1 << 30)
    (16777216, 104857600, 1073741824)
    >>> bounds.lines_of(2_400), bounds.lines_of(1 << 20)
    (100000, 2097152)
    """

    gigabytes: float = _default["landing_file_gb"].default
    ratio: float = _default["landing_file_ratio"].default
    lines: int = _default["landing_file_lines"].default

    @classmethod
    def set_by(cls, settings: SourceSettings) -> "Bounds":
        return cls(settings.landing_file_gb, settings.landing_file_ratio, settings.landing_file_lines)

    def bytes_of(self, stored: int) -> int:
        """The most bytes that a file of ``stored`` bytes may become."""
        return int(min(self.gigabytes * (1 << 30), max(FREE_BYTES, self.ratio * stored)))

    def lines_of(self, stored: int) -> int:
        """The most lines, rows or values of one column that a file of ``stored`` bytes may have."""
        return min(self.lines, max(FREE_LINES, LINES_A_BYTE * stored))


DEFAULT = Bounds()


def text_exceeds(path: Path, bounds: Bounds) -> bool:
    """Whether a text file becomes larger than allowed, or has more lines. A file that is not compressed is not read for that.

    Args:
        path: the file.
        bounds: the bounds.
    """
    stored = path.stat().st_size
    most_bytes, most_lines = bounds.bytes_of(stored), bounds.lines_of(stored)
    if compression_of(path) is None:
        return stored > most_bytes
    size = lines = 0
    for piece in uncompressed(path, PIECE):
        size += len(piece)
        lines += max(piece.count(b"\n"), piece.count(b"\r"))
        if size > most_bytes or lines > most_lines:
            return True
    return False
