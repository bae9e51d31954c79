"""
### Train the recommender and promote it after an automatic gate and a person's approval

**What it does.** Pins the current snapshots of the tables, trains every recipe on the events before `train_until`, and
evaluates all of them on the days after it. The recipe that is best on the validation days is registered as
`@challenger`. Then a gate checks it, and a person decides. Approval moves the alias `@champion`.

The gate refuses a challenger that

- does not beat popularity and the current champion;
- is worse than another baseline, with confidence;
- is worse than the champion, with confidence, for new, quiet or busy users or for new items. (Without a champion,
  popularity takes its place, except for new users: they receive popular items anyway);
- or fails a trial run.

**Reads** `session_events` and `items` at pinned snapshots. The snapshots are tagged in the lake, so any version can be
trained again on exactly the same data. **Writes** MLflow runs with metrics, plots and lineage, a version in the model
registry, and the alias; then it updates the asset `champion`, which starts `recommend`.

**Approve.** *Required actions* of the task `approve`, or of the run, shows the evidence: the challenger next to the
baselines and the champion, with links to the report, the run and the version in MLflow. Only the users in
`CLICKWRIGHT_APPROVERS` may answer. *Approve* moves the alias. *Reject*, or no answer within `response_hours`, leaves it:
the run ends with the task `rejected`, which records the answer on the version. If the champion changes while the
question is open, `promote` leaves the alias, and `ask_again` starts a run that compares the same models with the new
champion and asks again, without training.

**When.** Every Monday at 03:00 UTC. It trains on the events before the week that just ended and tests on that week. For
another date, trigger it with `train_until`. If no session closed on or after that date, the run is skipped. With the
parameter `effort` *quick*, every recipe tries fewer settings and networks train for fewer epochs.

**Rerun.** Trigger it with the same `train_until`. Clearing a task trains on the snapshots that the run pinned. If the
trained model is already the champion, the run ends at `gate`, skipped. To compare the models of an earlier run again,
trigger it with the `training` and `train_until` of that run. To roll back, move `@champion` to an earlier version in the
MLflow UI.

**When it fails.** The last lines of the failed task's log give the error, its place and the remedy.

- `gate`: the challenger was refused. This is a decision, not a malfunction. The message names the model that was not
  beaten, the users for whom the challenger is worse, or the missing evidence. The alias did not move.
- `fit_*`: read the log. After running out of memory, give the machine more or the recipe less, then clear the task.
  Finished recipes are kept, and a network resumes from its newest checkpoint.
- Any task that uses MLflow: check that MLflow is running, then clear the task.
"""

from airflow.sdk import DAG, CronDataIntervalTimetable

from dags.common.alerts import run_failed
from dags.common.assets import CHAMPION
from dags.common.defaults import DEFAULT_ARGS
from dags.common.module_operator import ModuleOperator
from dags.train_recommender.approval import AskAgain, DeadlineApproval
from dags.train_recommender.params import PARAMS
from dags.train_recommender.training_task import fit

BASELINES = "popularity,markov,item_knn,content,cooccurrence,als"
CANDIDATES = "transformer,hybrid"
TRAIN_UNTIL = "{{ params.train_until or (data_interval_start | ds) }}"
TRAINING = "{{ params.training or (dag.dag_id ~ '.' ~ run_id) }}"
CHALLENGE = "ti.xcom_pull(task_ids='challenge')"
QUESTION = f"Promote {{{{ {CHALLENGE}.recipe }}}}, version {{{{ {CHALLENGE}.version }}}}, to @champion?"
EVIDENCE = f"{{{{ {CHALLENGE}.evidence }}}}"
ANSWERED_BY = "{{ ti.xcom_pull(task_ids='approve').by }}"
VALID_DAYS = "--valid-days={{ params.valid_days }}"
EFFORT = "--effort={{ params.effort }}"
AGAIN = (
    f'{{"training": "{TRAINING}", "train_until": "{TRAIN_UNTIL}", '
    '"valid_days": {{ params.valid_days }}, "effort": "{{ params.effort }}", "response_hours": {{ params.response_hours }}}'
)


with DAG(
    dag_id="train_recommender",
    description="Train, compare and promote the recommender, after an automatic gate and an approval",
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
    pin = ModuleOperator(task_id="pin", module="ml.pin", arguments=[*of_run, "--train-until", TRAIN_UNTIL, VALID_DAYS, EFFORT])
    # Of two tasks that wait for one slot the baselines come first: the hybrid then finds its members fitted and tuned.
    baselines, transformer = fit("fit_baselines", TRAINING, BASELINES, 2), fit("fit_transformer", TRAINING, CANDIDATES, 1)
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
        trigger_run_id="{{ run_id }}.again",  # a retry uses the same id
        skip_when_already_exists=True,
        logical_date=None,
        conf=AGAIN,
    )

    pin >> [baselines, transformer] >> challenge
    challenge >> gate >> approve >> [promote, rejected]  # a refused challenger is not put to a person
    promote >> ask_again
