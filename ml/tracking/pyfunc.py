"""The recommender as an MLflow pyfunc, logged as code: loading runs this file and reads JSON and safetensors, no pickle.

Input: a column ``history`` of lists of item ids, oldest first; parameter ``k``. Output: each row's best ``k`` unseen item ids.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from ml.models import load_recommender
from ml.models.rank import best, mask_seen


class ServedRecommender(PythonModel):
    """Ranks items for histories of item ids; ids that the model does not know are ignored."""

    def load_context(self, context: PythonModelContext) -> None:
        self.model, self.item_ids = load_recommender(Path(context.artifacts["recommender"]))
        self.index = {item: i for i, item in enumerate(self.item_ids)}

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """One row of item ids for each row of ``history``.

        Args:
            context: of MLflow, not used.
            model_input: with a column ``history``.
            params: ``k``, the length of a list.
        """
        histories = [
            np.array([self.index[item] for item in row if item in self.index], dtype=np.int32) for row in model_input["history"]
        ]
        scores = np.array(self.model.scores(histories))
        mask_seen(scores, histories)
        k = int((params or {}).get("k", 10))
        lists = [[self.item_ids[i] for i in best(row, k) if np.isfinite(row[i])] for row in scores]
        return pd.DataFrame({"items": lists})


set_model(ServedRecommender())
