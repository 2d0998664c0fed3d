"""The DAG of a case: our dbt task group between a plan and a publication that do nothing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from datastack.pipelines.dbt_group import dbt_group
from datastack.pipelines.settings import defaults
from datastack.pipelines.transform import describe


def case_dag(case: str, project: Path, retries: int, *, with_docs: bool) -> DAG:
    """Arrange a case."""
    quick = {"retries": retries, "retry_delay": timedelta(seconds=3), "retry_exponential_backoff": False}
    with DAG(
        case,
        schedule=None,
        start_date=datetime(2025, 1, 1, tzinfo=UTC),
        default_args=defaults("tests") | quick,
        is_paused_upon_creation=False,
    ) as dag:
        plan, gate, publish = (EmptyOperator(task_id=name) for name in ("plan", "gate", "publish"))
        dbt = dbt_group(project, project / "target" / "manifest.json")
        plan >> dbt >> gate >> publish
        if with_docs:
            describe(case, project, dbt, publish)
    return dag
