"""Names that models logged by version 0.1 import from here, such as ``from ml.top import best``; :mod:`ml.models.rank`
holds them.
"""

from ml.models.rank import best
from ml.models.rank import mask_seen as leave_out

__all__ = ["best", "leave_out"]
