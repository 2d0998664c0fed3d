"""Arranges a domain's transform: settle, plan by the ledger, dbt through Cosmos, gate, publish, docs."""

from pathlib import Path

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import AssetAny, BaseOperator, Param, TriggerRule
from cosmos import DbtTaskGroup

from datastack.contract.registry import include_dir, stream_names
from datastack.operators.dbt_docs import DbtDocsOperator
from datastack.operators.gate import GateMartsOperator
from datastack.operators.plan import PlanOperator
from datastack.operators.publish import PublishOperator
from datastack.operators.settle import SettleOperator
from datastack.pipelines.assets import mart_asset, raw_assets
from datastack.pipelines.dbt_group import GLOBAL_FLAGS, dbt_executable, dbt_group, profile, task_that_runs_dbt
from datastack.transform.project_files import require_current


def any_raw_asset(sources: list[str]) -> AssetAny:
    """Schedule: whenever a source of the domain was loaded."""
    return AssetAny(*(asset for source in sources for asset in raw_assets(source)))


def transform_domain(domain: str, sources: list[str]) -> None:
    """Add settle, plan, dbt, gate, publish and docs to the current DAG.

    :raises DeclarationError: if the dbt manifest was not made from the project as it stands.
    """
    streams = [(source, stream) for source in sources for stream in stream_names(source)]
    settle = SettleOperator(task_id="settle", dag_ids=[f"ingest_{source}" for source in sources])
    plan = PlanOperator(task_id="plan", domain=domain, streams=streams)
    project = include_dir() / "dbt"
    dbt = dbt_group(project, require_current(), full_refresh="{{ ti.xcom_pull(task_ids='plan')['full_refresh'] }}")
    gate = GateMartsOperator(task_id="gate", domain=domain)
    publish = PublishOperator(task_id="publish", domain=domain, streams=streams, outlets=[mart_asset(domain)])
    settle >> plan >> dbt >> gate >> publish
    describe(domain, project, dbt, publish)


def describe(domain: str, project: Path, dbt: DbtTaskGroup, publish: BaseOperator) -> None:
    """Let the documentation follow a publication, without a say in whether that went well.

    The run ends as ``published`` does, which asks for one success: a failed ``docs`` is red, and the run is not.
    """
    docs = DbtDocsOperator(
        task_id="docs",
        domain=domain,
        project_dir=str(project),
        profile_config=profile(),
        dbt_executable_path=dbt_executable(),
        install_deps=False,
        dbt_cmd_global_flags=GLOBAL_FLAGS,
        cache_dir=task_that_runs_dbt(dbt).cache_dir,  # what that has parsed need not be parsed again
    )
    publish >> docs >> EmptyOperator(task_id="published", trigger_rule=TriggerRule.ONE_SUCCESS) << publish


def transform_params() -> dict[str, Param]:
    """Parameters of a run."""
    force = "Build and publish even if no load is new, the domain is on hold, or rows are loaded that passed no gate."
    return {
        "force": Param(False, type="boolean", description=force),
        "full_refresh": Param(False, type="boolean", description="Build incremental models anew, from all slices."),
    }
