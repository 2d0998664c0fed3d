"""What every DAG has: owner, retries, time limits, tags, parameters."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, Param

from datastack.contract.file_sources import FileSource, FileStream
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
        "dagrun_timeout": timedelta(hours=4) + _longest_wait(source),
        "default_args": defaults(source.owner),
        "tags": tags("ingest", source.domain, source.tier),
        "params": {
            "window_start": moment("First moment of the window to load; empty for the run's own interval."),
            "window_end": moment("First moment after the window to load; empty for the run's own interval."),
            **_reload(source),
        },
    }


def _longest_wait(source: SourceFile) -> timedelta:
    """How long a run may wait for files."""
    streams = source.streams.values() if isinstance(source, FileSource) else ()
    return max((each.wait for each in streams if isinstance(each, FileStream) and each.wait), default=timedelta(0))


def _reload(source: SourceFile) -> dict[str, Param]:
    """Parameter by which files are loaded again."""
    if not isinstance(source, FileSource):
        return {}
    return {"reload": Param(False, type="boolean", description="Take files again that are loaded already.")}


def moment(description: str) -> Param:
    """Parameter that is a time, or empty."""
    written = f"{description} Written as 2026-01-31T00:00:00Z."
    return Param(None, type=["null", "string"], format="date-time", description=written)
