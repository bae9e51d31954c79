"""The catalogue as arrays: item ids, titles and categories by index."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa

ITEM_FIELDS = pa.schema(
    [("item_id", pa.string()), ("title", pa.string()), ("categories", pa.list_(pa.string())), ("text", pa.string())]
)
"""Columns that a catalogue is made from."""


@dataclass(frozen=True)
class Catalog:
    """The items that a model can recommend; positions in these lists are the item indices everywhere.

    >>> catalog = Catalog(["a", "b"], ["Alien", "Heat"], [["war"], ["drama", "war"]], ["", ""])
    >>> catalog.index["b"], catalog.category_names
    (1, ['drama', 'war'])
    >>> catalog.category_matrix.tolist()
    [[0.0, 1.0], [1.0, 1.0]]
    """

    item_ids: list[str]
    titles: list[str]
    categories: list[list[str]]
    texts: list[str]

    def __len__(self) -> int:
        return len(self.item_ids)

    @cached_property
    def index(self) -> dict[str, int]:
        return {item: i for i, item in enumerate(self.item_ids)}

    @cached_property
    def described(self) -> bool:
        """Whether the items have any title, category or text."""
        return any(self.titles) or any(self.categories) or any(self.texts)

    @cached_property
    def text_embeddings(self) -> npt.NDArray[np.float32]:
        """L2-normalised sentence embeddings, ``[I, E]``: of the text, or of title and categories if there is none.

        Zeros ``[I, 1]`` if the catalogue has no words at all.
        """
        if not self.described:
            return np.zeros((len(self), 1), dtype=np.float32)
        from ml.text.encoder import encode

        rows = zip(self.titles, self.categories, self.texts, strict=True)
        return encode([text or ". ".join([title, ", ".join(categories)]) for title, categories, text in rows])

    @cached_property
    def category_names(self) -> list[str]:
        return sorted({name for row in self.categories for name in row})

    @cached_property
    def category_matrix(self) -> npt.NDArray[np.float32]:
        """1 where an item is in a category, else 0: ``[I, categories]``, in the order of ``category_names``."""
        column = {name: j for j, name in enumerate(self.category_names)}
        matrix = np.zeros((len(self), len(column)), dtype=np.float32)
        for i, row in enumerate(self.categories):
            matrix[i, [column[name] for name in row]] = 1.0
        return matrix


def catalog_from(items: pa.Table, met: Iterable[str]) -> Catalog:
    """The catalogue of ``items`` and of other items that enough people met, sorted by item id.

    Args:
        items: ``item_id``, ``title``, ``categories``, ``text``; one row per item.
        met: ids of items that enough people met; those that ``items`` lacks get an empty title, categories and text.

    >>> items = pa.Table.from_pylist([{"item_id": "b", "title": "Heat"}], schema=ITEM_FIELDS)
    >>> catalog = catalog_from(items, met=["c", "a", "b"])
    >>> catalog.item_ids, catalog.titles
    (['a', 'b', 'c'], ['', 'Heat', ''])
    """
    rows: dict[str, tuple[str, list[str], str]] = {
        row["item_id"]: (row["title"] or "", row["categories"] or [], row["text"] or "") for row in items.to_pylist()
    }
    for item in met:
        rows.setdefault(item, ("", [], ""))
    ids = sorted(rows)
    return Catalog(ids, [rows[i][0] for i in ids], [rows[i][1] for i in ids], [rows[i][2] for i in ids])
