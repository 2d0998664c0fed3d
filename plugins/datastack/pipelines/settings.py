"""What every DAG has: owner, retries, time limits, tags, parameters."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param

from datastack.contract.sources import SourceFile


def defaults(owner: str) -> dict[str, Any]:
    """Arguments of every task: three tries, waiting longer each time, an hour at most each."""
    return {
        "owner": owner,
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(hours=1),
    }


def tags(kind: str, domain: str, tier: int) -> list[str]:
    """Tags by which the UI filters DAGs."""
    return [f"kind:{kind}", f"domain:{domain}", f"tier:{tier}"]


def ingest_settings(source: SourceFile) -> dict[str, Any]:
    """Arguments of an ingest DAG, from its source file."""
    start = datetime(source.start_date.year, source.start_date.month, source.start_date.day, tzinfo=UTC)
    return {
        "schedule": CronDataIntervalTimetable(source.schedule, timezone="UTC"),
        "start_date": start,
        "max_active_runs": 1,
        "dagrun_timeout": timedelta(hours=4),
        "default_args": defaults(source.owner),
        "tags": tags("ingest", source.domain, source.tier),
        "params": {
            "window_start": _moment("First moment"),
            "window_end": _moment("First moment after the end"),
        },
    }


def _moment(what: str) -> Param:
    description = f"{what} of the window to load, as 2026-01-31T00:00:00Z; empty for the run's own interval."
    return Param(None, type=["null", "string"], format="date-time", description=description)
