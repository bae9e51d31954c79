"""Metrics, each a short function with its formula: rankings, lists, click probabilities, bootstrap intervals."""

from pkgutil import extend_path

# A logged model contains a copy of this package; where the project is installed, the rest comes from there.
__path__ = extend_path(__path__, __name__)

from ml.metrics.beyond_accuracy import coverage, diversity, exposure, novelty, personalisation, popularity_bias, unfairness
from ml.metrics.bootstrap import bootstrap_interval, bootstrap_share, mean_by_user
from ml.metrics.probability import auc, calibration_error, log_loss, normalised_entropy, reliability
from ml.metrics.ranking import UNRANKED, average_precision, f1, hit_rate, hits_of, mrr, ndcg, precision, recall

__all__ = [
    "UNRANKED",
    "auc",
    "average_precision",
    "bootstrap_interval",
    "bootstrap_share",
    "calibration_error",
    "coverage",
    "diversity",
    "exposure",
    "f1",
    "hit_rate",
    "hits_of",
    "log_loss",
    "mean_by_user",
    "mrr",
    "ndcg",
    "normalised_entropy",
    "novelty",
    "personalisation",
    "popularity_bias",
    "precision",
    "recall",
    "reliability",
    "unfairness",
]
