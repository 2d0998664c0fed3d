"""# transform_retail

**Purpose.** Builds the retail marts with dbt, checks them, and publishes them to `marts` in one transaction.

**Grain.** One run for all loads that no publication holds yet, however many they are: `settle` waits, for half an hour
at most, until the sources' runs are done.

**Owner.** analytics. Tier 1: dashboards read these marts.

**Re-run.** Any time. A run with nothing new is skipped, unless it is triggered with `force`; so is every run after a
rollback, or while a source's gate holds rows back: the log of `plan` names them, see `docs/reference/gates.md`. With
`full_refresh`, incremental models are built anew. Clear `plan` and what follows it, not a part of it.

**Triage.** A model fails: its task's log has dbt's words. `gate` fails: consumers keep the last publication; the log
names check and measure, `ops.gate_results` has them all. `publish` fails: readers saw nothing of it; clear it. What is
published is wrong: `docs/runbooks/roll-back-a-publication.md`. `docs` is red and the run green: what is published
stands, the data catalogue tells of an earlier publication; clear `docs`.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from datastack.pipelines.settings import defaults, tags
from datastack.pipelines.transform import any_raw_asset, transform_domain, transform_params

SOURCES = ["retail_db", "marketing_api", "promotions", "leaflets"]

with DAG(
    "transform_retail",
    doc_md=__doc__,
    schedule=any_raw_asset(SOURCES),
    start_date=datetime(2016, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    default_args=defaults("analytics"),
    tags=tags("transform", "retail", tier=1),
    params=transform_params(),
):
    transform_domain("retail", SOURCES)
