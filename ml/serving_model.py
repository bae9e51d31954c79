"""The recommender as an MLflow pyfunc, logged as code: loading runs this file, reads JSON and safetensors, unpickles nothing.

Input: a column ``history`` of lists of item ids, oldest first; parameter ``k``. Output: each row's best ``k`` unseen item ids.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from ml.evaluate import best
from ml.models import load_recommender


class ServedRecommender(PythonModel):
    """Ranks items for histories of item ids; ids that the model does not know are passed over."""

    def load_context(self, context: PythonModelContext) -> None:
        self.model, self.item_ids = load_recommender(Path(context.artifacts["recommender"]))
        self.index = {item: i for i, item in enumerate(self.item_ids)}

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """One row of item ids for each row of ``history``."""
        histories = [
            np.array([self.index[item] for item in row if item in self.index], dtype=np.int32) for row in model_input["history"]
        ]
        scores = np.array(self.model.scores(histories))
        for row, history in enumerate(histories):
            scores[row, history] = -np.inf
        k = int((params or {}).get("k", 10))
        lists = [
            [self.item_ids[i] for i in row if np.isfinite(scores[number, i])] for number, row in enumerate(best(scores, k))
        ]
        return pd.DataFrame({"items": lists})


set_model(ServedRecommender())
