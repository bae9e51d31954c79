"""On a GPU: training in bfloat16, plain and compiled, and a model that then runs on the CPU."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ml.data.splits import Split
from ml.evaluation.evaluate import evaluate
from ml.models.transformer.loss import multiplies_bfloat16
from ml.models.transformer.network import SequenceModel
from ml.models.transformer.recommender import Transformer
from ml.models.transformer.trainer import training_arguments

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")]
SMALL = {"width": 32, "max_length": 16, "batch_size": 16, "learning_rate": 1e-2}


@pytest.mark.parametrize("compiled", ["false", "true"])
def test_the_network_learns_on_a_gpu_and_serves_on_the_cpu(
    walk: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: str
) -> None:
    monkeypatch.setenv("CLICKWRIGHT_COMPILE_NETWORK", compiled)
    model = Transformer(**SMALL).fit(walk.fit, walk.catalog, seed=1, validation=walk.validation)
    assert model.network is not None
    assert model.network.device.type == "cuda"
    assert evaluate(model, walk.validation, walk.catalog, walk.fit.item_counts).metrics["ndcg_at_10"] > 0.3
    model.save(tmp_path)
    on_cpu = Transformer.load(tmp_path)
    on_cpu.network = SequenceModel.from_pretrained(tmp_path).train(False)
    asked = [np.array([3, 4, 6]), np.array([], dtype=np.int32)]
    np.testing.assert_allclose(on_cpu.scores(asked), model.scores(asked), rtol=1e-2, atol=1e-2)


def test_training_arguments_use_the_gpu(tmp_path: Path) -> None:
    arguments = training_arguments(tmp_path, Transformer().settings, seed=1, judged=True, resumable=True)
    assert arguments.dataloader_pin_memory
    assert arguments.bf16 == multiplies_bfloat16(torch.device("cuda"))
