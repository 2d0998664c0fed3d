"""# maintain_lake

**Purpose.** Lets the lake forget what was kept long enough: what each contract says of landing, quarantine and
conformed zone, attempts that never came to their end, and checkpoints that nobody came back to. Old samples and
results of gates go from the ledger.

**Grain.** One run a day, for the whole lake. `plan` says first what may go, and stores that; `delete` deletes exactly
it.

**Owner.** data-platform. Tier 3: nothing waits for it; while it does not run, personal data stay longer than promised.

**Re-run.** Any time. Triggered with `dry_run`, it ends after `plan`. What the warehouse's tables may come from is never
deleted; the ledger is told first of all that is.

**Triage.** `plan` fails: may connections `lake` and `landing` list their buckets? `delete` fails: may they delete
objects? Clear it: it goes on with the same plan. A stream is reported as not declared any more: declare it again, or
delete its folders by hand. See `docs/runbooks/expire-the-lake.md`.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable

from datastack.pipelines.maintain import expire_lake, expire_params
from datastack.pipelines.settings import defaults, tags

with DAG(
    "maintain_lake",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("30 3 * * *", timezone="UTC"),
    start_date=datetime(2016, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    default_args=defaults("data-platform"),
    tags=tags("maintain", "platform", tier=3),
    params=expire_params(),
):
    expire_lake()
