"""Arranges a domain's transform: plan by the ledger, dbt through Cosmos, gate, publish."""

import shutil
from pathlib import Path

from airflow.sdk import AssetAny
from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, LoadMode, TestBehavior
from cosmos.profiles import PostgresUserPasswordProfileMapping

from datastack.contract.errors import DeclarationError
from datastack.contract.registry import include_dir, load_source
from datastack.operators import connections
from datastack.operators.gate import GateMartsOperator
from datastack.operators.publish import PlanOperator, PublishOperator
from datastack.pipelines.assets import mart_asset, raw_assets

DBT_THREADS = 4
SENSOR_SECONDS = 1  # how often a model's task looks for its result


def any_raw_asset(sources: list[str]) -> AssetAny:
    """Schedule: whenever a source of the domain was loaded."""
    return AssetAny(*(asset for source in sources for asset in raw_assets(source)))


def transform_domain(domain: str, sources: list[str]) -> None:
    """Add plan, dbt, gate and publish to the current DAG.

    :raises DeclarationError: if the dbt manifest was not made yet.
    """
    streams = [(source, stream) for source in sources for stream in load_source(source).source.streams]
    plan = PlanOperator(task_id="plan", domain=domain, streams=streams)
    gate = GateMartsOperator(task_id="gate", domain=domain)
    publish = PublishOperator(task_id="publish", domain=domain, load_ids=plan.output, outlets=[mart_asset(domain)])
    plan >> _dbt() >> gate >> publish


def _dbt() -> DbtTaskGroup:
    project = include_dir() / "dbt"
    return DbtTaskGroup(
        group_id="dbt",
        project_config=ProjectConfig(dbt_project_path=project, manifest_path=_manifest(project)),
        profile_config=ProfileConfig(
            profile_name="datastack",
            target_name="warehouse",
            profile_mapping=PostgresUserPasswordProfileMapping(
                conn_id=connections.TRANSFORMER, profile_args={"schema": "staging", "threads": DBT_THREADS}
            ),
        ),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.WATCHER,
            dbt_executable_path=_executable(),
            # A second try would not run dbt again, and could wait for ever for a slot that model tasks hold.
            setup_operator_args={"retries": 0},
        ),
        render_config=RenderConfig(
            exclude=["resource_type:exposure"],
            load_method=LoadMode.DBT_MANIFEST,
            test_behavior=TestBehavior.AFTER_EACH,
            emit_datasets=False,
        ),
        operator_args={"install_deps": False, "deferrable": False, "poke_interval": SENSOR_SECONDS},
    )


def _manifest(project: Path) -> Path:
    manifest = project / "target" / "manifest.json"
    if not manifest.exists():
        raise DeclarationError(
            manifest, "(whole file)", "there is no such file", "Run `make generate`, which parses dbt."
        )
    return manifest


def _executable() -> str:
    return shutil.which("dbt") or "dbt"
