"""From pinned data to @champion, with a real lake and a real registry."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml

from ml import gate, pin, promote, register_challenger, reject, train
from ml.tracking.registry import by_alias, load_champion
from ml.tracking.runs import connect
from schemas.lake.lake import Lake
from schemas.runtime.errors import ClickwrightError, ConfigError, NothingToDo, Refused
from schemas.runtime.settings import ROOT, get_settings

pytestmark = pytest.mark.slow
BASELINES = "popularity,markov,cooccurrence"


def pin_and_train(run: str, recipes: str = BASELINES, until: str = "2024-03-01") -> dict[str, Any]:
    pin.main(["--run", run, "--train-until", until])
    return train.main(["--run", run, "--recipes", recipes])


def report_of(challenger: dict[str, Any]) -> str:
    return Path(mlflow.artifacts.download_artifacts(f"runs:/{challenger['run_id']}/evidence.html")).read_text()


def test_a_training_becomes_the_champion_once(walk_lake: Lake, var: Path) -> None:
    trained = pin_and_train("first")
    assert set(trained["recipes"]) == {"popularity", "markov", "cooccurrence"}
    challenger = register_challenger.main(["--run", "first"])
    assert challenger["recipe"] in ("markov", "cooccurrence")
    assert "| popularity |" in challenger["evidence"]
    assert "By this evidence it may pass the gate" in report_of(challenger)
    passed = gate.main(["--run", "first"])
    assert "It passed the gate" in report_of(challenger)
    assert passed["champion"] == "none"
    assert passed["leads"]["popularity"]["difference"] > 0
    moved = promote.main(["--run", "first"])
    assert moved == {
        "version": "1", "recipe": challenger["recipe"], "previous": "none", "overtaken_by": None, "moved": True
    }  # fmt: skip

    # A second promotion changes nothing.
    assert promote.main(["--run", "first"])["moved"] is False
    again = train.main(["--run", "first", "--recipes", BASELINES])
    assert all(row["reused"] for row in again["recipes"].values())
    assert register_challenger.main(["--run", "first"])["version"] == "1"
    with pytest.raises(
        NothingToDo, match="version 1 is the champion already; in the model registry; there is nothing to promote"
    ):
        gate.main(["--run", "first"])

    model, version, item_ids = load_champion()
    assert (model.name, version, len(item_ids)) == (challenger["recipe"], "1", 40)

    # Another training on the same data gives the same model.
    pin_and_train("second")
    assert register_challenger.main(["--run", "second"])["version"] == "2"
    with pytest.raises(Refused, match="the same model as the champion, version 1"):
        gate.main(["--run", "second"])
    with pytest.raises(Refused, match="did not pass the gate"):
        promote.main(["--run", "second"])
    with pytest.raises(ClickwrightError, match="there is no version 9"):
        promote.main(["--version", "9"])


def test_a_run_logs_parameters_data_metrics_and_model(walk_lake: Lake) -> None:
    trained = pin_and_train("whole", "popularity,markov")
    settings = get_settings()
    client = connect(settings)
    run = client.get_run(trained["recipes"]["markov"]["run_id"])
    assert run.data.params["recipe"] == "markov"
    assert run.data.params["recipe.half_life"] == "1.0"
    assert {"validation_ndcg_at_10", "test_ndcg_at_10", "test_new_cases", "test_coverage_at_10"} <= set(run.data.metrics)
    assert run.inputs is not None
    assert {(i.dataset.name, i.dataset.source_type) for i in run.inputs.dataset_inputs} == {
        ("session_events", "iceberg"),
        ("items", "iceberg"),
    }
    snapshots = json.loads(run.data.tags["clickwright.snapshots"])
    assert snapshots == {t: walk_lake.snapshot(t) for t in ("session_events", "items")}
    assert walk_lake.table("items").refs()["train-whole"].snapshot_id == snapshots["items"]
    assert [f.path for f in client.list_artifacts(run.info.run_id, "plots")] == ["plots/ndcg_by_slice.png"]

    uri = run.data.tags["clickwright.model_uri"]
    files = {path.name for path in Path(mlflow.artifacts.download_artifacts(uri)).rglob("*") if path.is_file()}
    assert {"weights.safetensors", "recommender.json", "items.json", "pyfunc.py"} <= files
    assert not {name for name in files if name.endswith((".pkl", ".pickle", ".pt", ".bin"))}
    model = mlflow.pyfunc.load_model(uri)
    assert model.metadata.signature is not None
    answer = model.predict(pd.DataFrame({"history": [["i01", "i02"], ["nobody knows this"], []]}), params={"k": 3})
    assert [len(row) for row in answer["items"]] == [3, 3, 3]
    assert answer["items"][0][0] in ("i03", "i04")
    assert not {"i01", "i02"} & set(answer["items"][0])
    assert run.data.tags["clickwright.encoder"] == pin.read_pin("whole").encoder


ELSEWHERE = """
import json, sys
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in str(finder)]
try:
    import ml
except ModuleNotFoundError:
    import mlflow, pandas
    model = mlflow.pyfunc.load_model(sys.argv[1])
    print(json.dumps(model.predict(pandas.DataFrame({"history": [["i01", "i02"]]}))["items"][0]))
    from ml.models import RECIPES, recipe
    for name in RECIPES:  # any recipe can become champion
        recipe(name)
"""


def test_a_logged_model_is_served_without_the_project(walk_lake: Lake, tmp_path: Path) -> None:
    trained = pin_and_train("served", "markov")
    run = connect(get_settings()).get_run(trained["recipes"]["markov"]["run_id"])
    folder = mlflow.artifacts.download_artifacts(run.data.tags["clickwright.model_uri"])
    code = [path for path in Path(folder, "code").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in code) < 250_000
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, folder], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0] in ("i03", "i04")

    # Where the project is installed, a model that was loaded first does not hide it.
    script = f"import mlflow; mlflow.pyfunc.load_model({folder!r}); import ml.tracking.registry, schemas.runtime.settings"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True)


def test_the_gate_compares_with_the_present_champion(walk_lake: Lake) -> None:
    """Two challengers are judged against the same champion; the first promotion makes the second stale."""
    pin_and_train("weak", "popularity,markov")
    register_challenger.main(["--run", "weak"])
    gate.main(["--run", "weak"])
    pin_and_train("strong", "popularity,cooccurrence")
    register_challenger.main(["--run", "strong"])
    gate.main(["--run", "strong"])
    promote.main(["--run", "weak"])
    overtaken = promote.main(["--run", "strong"])
    assert (overtaken["moved"], overtaken["overtaken_by"]) == (False, "1")
    with pytest.raises(Refused, match="does not compare it with the champion, version 1"):
        gate.main(["--run", "strong"])
    evidence = register_challenger.main(["--run", "strong"])["evidence"]
    assert "champion: version 1, markov" in evidence
    settings = get_settings()
    client = connect(settings)
    champion = by_alias(client, settings, "champion")
    assert champion is not None
    lead = json.loads(client.get_model_version("recommender", "2").tags["clickwright.evidence"])["champion"]["lead"]
    if lead["difference"] > 0:
        gate.main(["--run", "strong"])
        promote.main(["--run", "strong"])
        assert promote.main(["--version", "1"]) == {
            "version": "1", "recipe": "markov", "previous": "2", "overtaken_by": None, "moved": True
        }  # fmt: skip
    else:
        with pytest.raises(Refused, match="does not beat the champion, version 1"):
            gate.main(["--run", "strong"])


def test_the_gate_judges_the_last_choice_not_the_newest_version(walk_lake: Lake) -> None:
    pin_and_train("turn", "popularity")
    assert register_challenger.main(["--run", "turn"])["version"] == "1"
    markov = train.main(["--run", "turn", "--recipes", "markov"])["recipes"]["markov"]["run_id"]
    assert register_challenger.main(["--run", "turn"])["version"] == "2"
    assert gate.main(["--run", "turn"])["version"] == "2"
    connect(get_settings()).delete_run(markov)
    assert register_challenger.main(["--run", "turn"])["version"] == "1"
    with pytest.raises(Refused, match="version 1 is refused: popularity was the best of its training"):
        gate.main(["--run", "turn"])
    with pytest.raises(Refused, match="version 1 did not pass the gate"):
        promote.main(["--run", "turn"])


def test_a_rejection_is_recorded_and_moves_no_alias(walk_lake: Lake) -> None:
    with pytest.raises(ClickwrightError):
        reject.main(["--run", "first", "--by", "alice"])  # nothing is pinned
    pin_and_train("first", "popularity,markov")
    with pytest.raises(Refused, match="has no challenger"):
        reject.main(["--run", "first", "--by", "alice"])
    register_challenger.main(["--run", "first"])
    assert reject.main(["--run", "first", "--by", "alice"]) == {"version": "1", "rejected_by": "alice"}
    settings = get_settings()
    client = connect(settings)
    assert client.get_model_version("recommender", "1").tags["clickwright.rejected_by"] == "alice"
    assert by_alias(client, settings, "champion") is None


def test_incomplete_evidence_and_changed_files_are_refused(walk_lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    pin_and_train("bare", "popularity,markov")
    settings = get_settings()
    client = connect(settings)
    with pytest.raises(Refused, match="has no challenger"):
        gate.main(["--run", "bare"])
    register_challenger.main(["--run", "bare"])
    tag = "clickwright.evidence"
    version = client.get_model_version("recommender", "1")
    evidence = version.tags[tag]
    assert f"Run {version.tags['clickwright.run_id']}, version 1." in version.description
    client.set_model_version_tag("recommender", "1", tag, json.dumps(json.loads(evidence) | {"digest": "0" * 64}))
    with pytest.raises(Refused, match="its files are not those that were tested"):
        gate.main(["--run", "bare"])
    client.set_model_version_tag("recommender", "1", tag, json.dumps(json.loads(evidence) | {"snapshots": {}}))
    with pytest.raises(Refused, match="lacks snapshots"):
        gate.main(["--run", "bare"])
    assert "The gate refused it.</b> version 1 is refused: its evidence lacks snapshots" in report_of(json.loads(evidence))
    expired = json.dumps(json.loads(evidence) | {"snapshots": {"session_events": 1}})
    client.set_model_version_tag("recommender", "1", tag, expired)
    with pytest.raises(Refused, match="snapshot 1 of session_events, which it was trained on, is gone"):
        gate.main(["--run", "bare"])
    client.set_model_version_tag("recommender", "1", tag, evidence)
    described = Path(urlparse(client.get_model_version_download_uri("recommender", "1")).path) / "MLmodel"
    whole = described.read_text()
    for piece, told in (("signature", "it has no signature"), ("saved_input_example_info", "it has no input example")):
        described.write_text(yaml.safe_dump({key: value for key, value in yaml.safe_load(whole).items() if key != piece}))
        with pytest.raises(Refused, match=told):
            gate.main(["--run", "bare"])
    described.write_text(whole)
    monkeypatch.setenv("CLICKWRIGHT_GATE_MAX_MODEL_MB", "0.0001")
    with pytest.raises(Refused, match=r"in the smoke test it has .* MB, more than"):
        gate.main(["--run", "bare"])
    monkeypatch.delenv("CLICKWRIGHT_GATE_MAX_MODEL_MB")
    with pytest.raises(Refused, match="version 1 did not pass the gate"):
        promote.main(["--run", "bare"])
    found = gate.main(["--run", "bare"])
    monkeypatch.setenv("CLICKWRIGHT_GATE_MAX_MODEL_MB", "0.0001")
    with pytest.raises(Refused, match="more than"):
        gate.main(["--run", "bare"])
    with pytest.raises(Refused, match="version 1 did not pass the gate"):  # the pass was taken back
        promote.main(["--run", "bare"])
    assert found["megabytes"] > 0
    assert set(found["leads"]["popularity"]["slices"]) >= {"short", "medium"}
    client.delete_model_version_tag("recommender", "1", tag)
    with pytest.raises(Refused, match="it has no evidence"):
        gate.main(["--run", "bare"])


def test_training_requires_the_pinned_sentence_encoder(
    walk_lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pin.main(["--run", "read", "--train-until", "2024-03-01"])
    (tmp_path / "encoder").mkdir()
    (tmp_path / "encoder" / "config.json").write_text("{}")
    monkeypatch.setenv("CLICKWRIGHT_ENCODER", str(tmp_path / "encoder"))
    with pytest.raises(ConfigError, match=r"the sentence encoder .* is not the one that training read was pinned with"):
        train.main(["--run", "read", "--recipes", "popularity"])
    monkeypatch.setenv("CLICKWRIGHT_ENCODER", "/no/such/folder")
    with pytest.raises(ConfigError, match="at /no/such/folder; point CLICKWRIGHT_ENCODER"):
        pin.main(["--run", "unread", "--train-until", "2024-03-01"])


def test_mistakes_are_reported_before_the_work(walk_lake: Lake) -> None:
    with pytest.raises(ClickwrightError, match="has no pinned data"):
        train.main(["--run", "unknown"])
    pin.main(["--run", "known", "--train-until", "2024-03-01"])
    with pytest.raises(ClickwrightError, match="is pinned for 2024-03-01, 14 days"):
        pin.main(["--run", "known", "--train-until", "2024-03-02"])
    with pytest.raises(ClickwrightError, match="14 days, effort full, at"):
        pin.main(["--run", "known", "--train-until", "2024-03-01", "--effort", "quick"])
    with pytest.raises(ConfigError, match="unknown recipe 'horoscope'"):
        train.main(["--run", "known", "--recipes", "markov,horoscope"])
    with pytest.raises(ClickwrightError, match="no version of recommender is @champion"):
        load_champion()
    with pytest.raises(ClickwrightError, match="has no finished run of popularity"):
        register_challenger.main(["--run", "known"])
    with pytest.raises(NothingToDo, match="no session closed on 2025-03-01 or later"):
        pin.main(["--run", "future", "--train-until", "2025-03-01"])
    pin.main(["--run", "early", "--train-until", "2023-03-01"])
    with pytest.raises(ConfigError, match="there are no events before 2023-02-15 to fit on"):
        train.main(["--run", "early", "--recipes", "popularity"])


def test_a_training_reads_the_pinned_rows_after_a_later_publish(walk_lake: Lake) -> None:
    from datetime import date

    from ml.data.splits import read_split
    from tests.ml.conftest import as_contract, publish_directly, walk_items

    pin.main(["--run", "pinned", "--train-until", "2024-03-01"])
    pinned = pin.read_pin("pinned")
    before = read_split(walk_lake, pinned)
    items = walk_items().assign(as_of=date(2024, 2, 28), title="Changed")
    publish_directly(walk_lake, "items", as_contract("items", items), "as_of")
    after = read_split(walk_lake, pinned)
    assert before.catalog.titles == after.catalog.titles
    np.testing.assert_array_equal(before.refit.item_index, after.refit.item_index)
