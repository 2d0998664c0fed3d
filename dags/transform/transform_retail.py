"""# transform_retail

**Purpose.** Builds the retail marts with dbt, checks them, and publishes them to `marts` in one transaction.

**Grain.** One run for all loads that no publication holds yet, however many they are.

**Owner.** analytics. Tier 1: dashboards read these marts.

**Re-run.** Any time. A run with nothing new is skipped, unless it is triggered with `force`.

**Triage.** A model fails: its task's log has dbt's words. `gate` fails: consumers keep the last publication; the log
names check and measure, `ops.gate_results` has them all. `publish` fails: readers saw nothing of it; clear it.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from datastack.pipelines.settings import defaults, tags
from datastack.pipelines.transform import any_raw_asset, transform_domain

SOURCES = ["retail_db", "marketing_api", "promotions"]

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
    params={"force": Param(False, type="boolean", description="Build and publish even if no load is new.")},
):
    transform_domain("retail", SOURCES)
