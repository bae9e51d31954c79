"""Every workflow: its imports, a reproducible serialisation, and rules for each task."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
FILES = {
    "behaviour_day": "dags/behaviour_day/dag.py",
    "reprocess_day": "dags/reprocess_day/dag.py",
    "train_recommender": "dags/train_recommender/dag.py",
    "recommend": "dags/recommend/dag.py",
    "maintain_lake": "dags/maintain_lake/dag.py",
}
CLOSERS = {"build": "audit", "audit": "publish"}


def parse(home: Path, hash_seed: str) -> Any:
    env = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": hash_seed,
    }
    command = [sys.executable, "-m", "tests.dags.parse_dags"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return parse(tmp_path_factory.mktemp("airflow"), "1")


@pytest.fixture(params=FILES)
def dag(parsed: Any, request: pytest.FixtureRequest) -> Any:
    return parsed["dags"][request.param]


def test_every_dag_file_is_listed_and_loads(parsed: Any) -> None:
    on_disk = {str(path.relative_to(ROOT)) for path in (ROOT / "dags").rglob("dag.py")}
    assert on_disk == set(FILES.values())
    assert parsed["errors"] == {}
    assert {dag_id: str(Path(d["file"]).relative_to(ROOT)) for dag_id, d in parsed["dags"].items()} == FILES


def test_parsing_imports_no_heavy_and_no_project_modules(parsed: Any) -> None:
    assert parsed["forbidden"] == []


def test_parsing_is_faster_than_importing_airflow(parsed: Any) -> None:
    assert parsed["parse_s"] < 2
    assert parsed["parse_s"] < parsed["import_s"]


def test_serialisation_does_not_depend_on_the_hash_seed(parsed: Any, tmp_path: Path) -> None:
    assert parse(tmp_path, "2")["digest"] == parsed["digest"]


def test_documentation_has_the_required_sections(dag: Any) -> None:
    for heading in ("**What it does.**", "**Rerun.**", "**When it fails.**"):
        assert heading in dag["doc"]
    assert "writes" in dag["doc"].lower()
    assert "reads" in dag["doc"].lower()
    assert dag["description"]
    assert dag["tags"]


def test_parameters_have_types_and_descriptions(dag: Any) -> None:
    for param in dag["params"].values():
        assert param["schema"]["type"]
        assert param["description"]


def test_tasks_have_owners_timeouts_and_backoff(dag: Any) -> None:
    assert not dag["catchup"]
    for task in dag["tasks"].values():
        assert task["owner"] not in ("", "airflow")
        assert task["timeout_s"]
        assert task["retries"] >= 1
        assert task["backoff"] > 1
        assert not task["depends_on_past"]
        assert task["on_failure"] == ["task_failed"]


def test_tables_are_built_then_audited_then_published(dag: Any) -> None:
    tasks = dag["tasks"]
    for name, task in tasks.items():
        group, _, step = name.rpartition(".")
        if step in CLOSERS:
            assert f"{group}.{CLOSERS[step]}" in task["downstream"]
        if step in ("audit", "publish"):
            assert task["module"] == f"schemas.publishing.{step}"
        if task["job"]:
            assert task["pool"] == "spark"
    wiring = Path(dag["file"]).read_text().split('"""', 2)[2]
    assert len(wiring.splitlines()) <= 80


def test_gpu_tasks_use_the_gpu_pool_and_queue(parsed: Any) -> None:
    tasks = [task for dag in parsed["dags"].values() for task in dag["tasks"].values()]
    gpu = [task for task in tasks if task["module"] in ("ml.train", "ml.recommend", "ml.copywriter")]
    assert len(gpu) == 4
    assert {(task["pool"], task["queue"]) for task in gpu} == {("gpu", "gpu")}


def test_a_day_flows_from_arrivals_to_profiles(parsed: Any) -> None:
    tasks = parsed["dags"]["behaviour_day"]["tasks"]
    assert tasks["arrivals"]["downstream"] == ["clean.build", "items.build"]
    assert tasks["clean.publish"]["downstream"] == ["profiles.build", "sessionize.build"]
    assert tasks["items.publish"]["downstream"] == ["profiles.build"]
    # Last of all: profiles that are still being built must not be reported as late.
    assert tasks["sessionize.publish"]["downstream"] == tasks["profiles.publish"]["downstream"] == ["late_days"]
    assert tasks["profiles.publish"]["outlets"] == ["profiles"]


def test_day_deadline_is_three_hours_and_alerts_name_tables(parsed: Any) -> None:
    day = parsed["dags"]["behaviour_day"]
    assert day["on_failure"] == "run_failed"
    (deadline,) = day["deadlines"]
    assert (deadline["hours"], deadline["callback"]) == (27, "dags.common.alerts.day_late")
    writes = {name: task["writes"] for name, task in day["tasks"].items()}
    assert writes["clean.build"] == writes["clean.audit"] == writes["clean.publish"] == ["events", "rejects", "landing_files"]
    assert writes["arrivals"] == writes["late_days"] == []
    assert sorted(deadline["tables"]) == sorted({table for tables in writes.values() for table in tables})


def test_reprocess_day_checks_again_whether_a_day_is_late(parsed: Any) -> None:
    tasks_of_a_day = parsed["dags"]["behaviour_day"]["tasks"]
    assert tasks_of_a_day["late_days"]["outlets"] == ["late_days"]
    tasks = parsed["dags"]["reprocess_day"]["tasks"]
    assert tasks["days_at_work"]["downstream"] == ["late_files", "late_profiles", "late_sessions"]
    assert tasks["late_files"]["downstream"] == ["clean.build"]
    assert tasks["clean.publish"]["downstream"] == ["late_profiles", "late_sessions"]
    for name, job in (("late_sessions", "sessionize"), ("late_profiles", "profiles")):
        assert tasks[name]["downstream"] == [f"{job}.build"]
        assert tasks[name]["module"] == tasks_of_a_day["late_days"]["module"] == "jobs.late_days"


def test_gate_comes_before_the_approval(parsed: Any) -> None:
    tasks = parsed["dags"]["train_recommender"]["tasks"]
    order = ["pin", "fit_transformer", "challenge", "gate", "approve", "promote"]
    for task, following in pairwise(order):
        assert following in tasks[task]["downstream"]
    assert tasks["promote"]["outlets"] == ["champion"]


def test_maintenance_runs_without_requests_not_after_a_failure(parsed: Any) -> None:
    tasks = parsed["dags"]["maintain_lake"]["tasks"]
    assert tasks["erase"]["downstream"] == ["compact", "forget", "records", "retention"]
    assert tasks["forget"]["downstream"] == ["mark_models"]
    for task, following in pairwise(["compact", "expire", "orphans", "statistics"]):
        assert tasks[task]["downstream"] == [following]
    rules = {name: task["trigger_rule"] for name, task in tasks.items() if name != "erase"}
    assert rules.pop("mark_models") == "all_done", "also after `forget` has reported an id that found nobody"
    assert set(rules.values()) == {"none_failed"}
    modules = {name: task["module"] for name, task in tasks.items()}
    assert modules.pop("mark_models") == "ml.mark_erased"
    assert (modules.pop("erase"), modules.pop("forget")) == ("schemas.erasure", "jobs.erase_landing")
    renamed = {
        "expire": "expire_snapshots",
        "orphans": "orphan_files",
        "statistics": "table_statistics",
        "records": "record_retention",
    }
    assert modules == {name: f"schemas.maintenance.{renamed.get(name, name)}" for name in modules}
