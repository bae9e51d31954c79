"""Which items may be shown to other people: those that a catalogue lists, or that enough people have met.

Without a catalogue every page that anybody opened would be an item, also a page of one person. So an item is public only if at
least k people have met it, the threshold rule of k-anonymity (Sweeney 2002). ``CLICKWRIGHT_ITEM_MIN_PEOPLE`` is k.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.runtime.settings import get_settings


def met_by_enough(people: npt.NDArray[np.integer[Any]], least: int | None = None) -> npt.NDArray[np.bool_]:
    """Whether enough people have met each item for it to be shown although no catalogue lists it.

    Args:
        people: number of people who met each item, ``[I]``.
        least: number of people that is enough; default: the setting.

    >>> met_by_enough(np.array([0, 4, 5]), least=5)
    array([False, False,  True])
    """
    return np.asarray(people >= (get_settings().item_min_people if least is None else least), dtype=np.bool_)
