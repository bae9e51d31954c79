"""Content-based: items whose words resemble those of the items in a user's history."""

from typing import Any, ClassVar

import numpy as np
from scipy import sparse

from ml.data.catalog import Catalog
from ml.data.interactions import Interactions
from ml.models.linear import LinearRecommender


class Content(LinearRecommender):
    """w_ij = cosine of the TF-IDF vectors of title, categories and text (Salton and Buckley, 1988), sublinear in the counts.

    It works for items without interactions. Validation chooses ``half_life``.
    """

    name: ClassVar[str] = "content"
    complexity: ClassVar[int] = 2
    handles_new_items: ClassVar[bool] = True
    DEFAULTS: ClassVar[dict[str, float]] = {
        "half_life": 4.0,
        "last": 50,
        "neighbours": 500,
    }
    SEARCH: ClassVar[dict[str, tuple[float, ...]]] = {"half_life": (1.0, 2.0, 4.0, 10.0, 30.0)}

    def prepare(self, train: Interactions, catalog: Catalog) -> Any:
        """The items' vectors, ``[I, words]``."""
        from sklearn.feature_extraction.text import TfidfVectorizer  # loading a model does not need it

        rows = zip(catalog.titles, catalog.categories, catalog.texts, strict=True)
        documents = [" ".join([title, *categories, text]) for title, categories, text in rows]
        vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
        words_of = vectorizer.build_analyzer()
        if not any(words_of(document) for document in documents):
            return sparse.csr_array((len(catalog), 1), dtype=np.float32)
        return sparse.csr_array(vectorizer.fit_transform(documents))

    def item_matrix(self, prepared: Any) -> sparse.csr_array:
        return sparse.csr_array(prepared @ prepared.T)
