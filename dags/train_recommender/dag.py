"""
### Train the recommender, and promote it if it is better and a person agrees

**What it does.** Pins the tables as they are, trains every recipe on what was known before `train_until`,
compares them side by side on the days after it, registers the best by validation as `@challenger`, and
asks: first a gate, then a person. The gate refuses a model that does not beat popularity and the present champion,
that is surely worse than another baseline, or than the champion for new, quiet or busy users or for new items (before
there is a champion, than popularity, new users aside, who get that anyway), or that fails when it is tried. A yes moves
the alias `@champion`.

**Reads** `session_events` and `items` at pinned snapshots (tagged in the lake, so any version can be
trained again from the exact data it saw). **Writes** MLflow runs with metrics, plots and lineage, a version
in the model registry, and the alias; then it updates the asset `champion`, which starts `recommend`.

**Approve.** *Required actions* of the task `approve`, or of the run, shows the evidence: the challenger
beside the baselines and the champion, with links to MLflow: to a report with plots, the run, and the version.
Those whom `CLICKWRIGHT_APPROVERS` names may answer, and nobody else. *Approve* moves the alias. *Reject*, or no
answer within `response_hours`, leaves it: the run ends with the task `rejected`, which notes the answer on the
version. When somebody else has moved the champion meanwhile, `promote` moves nothing, and `ask_again` starts a
run that compares the same models with the new champion and asks again; nothing is trained for that.

**When.** Each Monday at 03:00 UTC: it fits on what happened before the week that has just ended, and tests on that
week. By hand for any other date: give `train_until`. Where no session closed from that date on, nothing is trained
and the run is skipped.

**Rerun.** Trigger it with the same `train_until`; clearing a task trains on the snapshots that the run
pinned, and a training whose model is the champion already ends at `gate`, skipped. To compare the models of an
earlier run again, trigger with its `training` and `train_until`. To roll back, move `@champion` to an earlier
version in the MLflow UI.

**When it fails.** The last lines of the failed task's log say what, where and what to do.

- `gate`: refused, which is an answer, and not an accident: the message says which model was not beaten, for whom
  it is worse, or which piece of the evidence is missing. Nothing moved.
- `fit_*`: see the log; when memory ran out, clear it after giving the machine more, or the recipe less. What was finished
  is kept, and a network goes on from its newest checkpoint.
- anything that reaches for MLflow: is it up? Then clear the task.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable

from dags.common.alerts import run_failed
from dags.common.assets import CHAMPION
from dags.common.defaults import DEFAULT_ARGS, GPU_POOL, GPU_QUEUE
from dags.common.module_operator import ModuleOperator
from dags.train_recommender.approval import AskAgain, DeadlineApproval
from dags.train_recommender.params import PARAMS

BASELINES = "popularity,markov,item_knn,content,cooccurrence,als"
CANDIDATES = "transformer,hybrid"
TRAIN_UNTIL = "{{ params.train_until or (data_interval_start | ds) }}"
TRAINING = "{{ params.training or (dag.dag_id ~ '.' ~ run_id) }}"
CHALLENGE = "ti.xcom_pull(task_ids='challenge')"
QUESTION = f"Promote {{{{ {CHALLENGE}.recipe }}}}, version {{{{ {CHALLENGE}.version }}}}, to @champion?"
EVIDENCE = f"{{{{ {CHALLENGE}.evidence }}}}"
ANSWERED_BY = "{{ ti.xcom_pull(task_ids='approve').by }}"
VALID_DAYS = "--valid-days={{ params.valid_days }}"
AGAIN = (
    f'{{"training": "{TRAINING}", "train_until": "{TRAIN_UNTIL}", '
    '"valid_days": {{ params.valid_days }}, "response_hours": {{ params.response_hours }}}'
)


def fit(task_id: str, recipes: str) -> ModuleOperator:
    """One training task: each recipe becomes one MLflow run; one that is finished is kept."""
    return ModuleOperator(
        task_id=task_id,
        module="ml.train",
        arguments=["--run", TRAINING, "--recipes", recipes],
        pool=GPU_POOL,
        queue=GPU_QUEUE,
        execution_timeout=timedelta(hours=12),
    )


with DAG(
    dag_id="train_recommender",
    description="Train, compare, and promote the recommender when it is better and a person agrees",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 3 * * 1", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={**DEFAULT_ARGS, "owner": "machine-learning"},
    on_failure_callback=run_failed,
    tags=["recommender", "training", "gpu"],
    params=PARAMS,
):
    of_run = ["--run", TRAINING]
    pin = ModuleOperator(task_id="pin", module="ml.pin", arguments=[*of_run, "--train-until", TRAIN_UNTIL, VALID_DAYS])
    baselines, transformer = fit("fit_baselines", BASELINES), fit("fit_transformer", CANDIDATES)
    challenge = ModuleOperator(task_id="challenge", module="ml.register_challenger", arguments=of_run)
    gate = ModuleOperator(task_id="gate", module="ml.gate", arguments=of_run)
    approve = DeadlineApproval(
        task_id="approve", subject=QUESTION, body=EVIDENCE, asked_by="challenge", approved="promote", rejected="rejected"
    )
    promote = ModuleOperator(task_id="promote", module="ml.promote", arguments=of_run, outlets=[CHAMPION])
    rejected = ModuleOperator(task_id="rejected", module="ml.reject", arguments=[*of_run, "--by", ANSWERED_BY])
    ask_again = AskAgain(
        task_id="ask_again",
        promotion="promote",
        trigger_dag_id="train_recommender",
        trigger_run_id="{{ run_id }}.again",  # the same for a retry
        skip_when_already_exists=True,
        logical_date=None,
        conf=AGAIN,
    )

    pin >> [baselines, transformer] >> challenge
    challenge >> gate >> approve >> [promote, rejected]  # nobody is asked about what the gate refuses
    promote >> ask_again
