"""The top-k benchmark runs on small data."""

from pathlib import Path

import pytest

from tests.benchmarks.lists import __main__ as comparison
from tests.benchmarks.lists import batch_inference_cost, vectors

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bench") / "vectors.safetensors"
    vectors.main(["--to", str(file), "--events", "20000", "--items", "700", "--users", "300", "--steps", "2"])
    return file


def test_search_matches_plain_pytorch(trained: Path) -> None:
    found = comparison.main(["--vectors", str(trained), "--rounds", "1", "--engines", "plain", "clickwright"])
    assert found["overlaps"] == {"plain": 1.0, "clickwright": 1.0}


@pytest.mark.parametrize("recipe", ["transformer", "hybrid"])
def test_shard_has_a_list_for_every_user(trained: Path, recipe: str) -> None:
    figures = batch_inference_cost.main(["--vectors", str(trained), "--users", "30", "--rounds", "1", "--recipe", recipe])
    assert (figures["users"], figures["rows"], figures["users_without"]) == (30, 300, 0)
