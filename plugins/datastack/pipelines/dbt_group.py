"""A dbt project as a group of tasks: one that runs dbt, and one for each model, through Cosmos."""

import shutil
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import BaseOperator
from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import PRODUCER_WATCHER_TASK_ID, DbtResourceType, ExecutionMode, LoadMode, TestBehavior
from cosmos.profiles import PostgresUserPasswordProfileMapping

from datastack.operators import connections
from datastack.operators.dbt_build import DbtBuildOperator
from datastack.operators.dbt_model import DbtModelOperator

DBT_THREADS = 4
CONNECT_RETRIES = 4  # dbt waits 1 + 4 + 9 + 16 s
GLOBAL_FLAGS = ["--no-use-colors"]  # logs are read in the UI
SENSOR_SECONDS = 1  # how often a model's task looks for its verdict


def dbt_group(project: Path, manifest: Path, full_refresh: str = "False") -> DbtTaskGroup:
    """Add a task that runs dbt and a task for each model, its tests included, to the current DAG.

    :param full_refresh: template of "True" or "False": whether incremental models are built from nothing.
    """
    config = ProjectConfig(dbt_project_path=project, manifest_path=manifest)
    config.manifest_path = manifest  # it became an address in an object store, which takes a second to open
    group = DbtTaskGroup(
        group_id="dbt",
        project_config=config,
        profile_config=profile(),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.WATCHER,
            dbt_executable_path=dbt_executable(),
            setup_operator_args={"full_refresh": full_refresh},
        ),
        render_config=RenderConfig(
            exclude=["resource_type:exposure"],
            load_method=LoadMode.DBT_MANIFEST,
            # A model's task stands for its tests too: a task more for each would double what a run costs.
            test_behavior=TestBehavior.BUILD,
            node_converters=dict.fromkeys(
                (DbtResourceType.MODEL, DbtResourceType.SEED, DbtResourceType.SNAPSHOT), _model_task
            ),
            emit_datasets=False,
        ),
        operator_args={
            "install_deps": False,
            "dbt_cmd_global_flags": GLOBAL_FLAGS,
        },
    )
    _run_dbt_our_way(group)
    return group


def profile() -> ProfileConfig:
    """How dbt connects: as the role that transforms."""
    return ProfileConfig(
        profile_name="datastack",
        target_name="warehouse",
        profile_mapping=PostgresUserPasswordProfileMapping(
            conn_id=connections.TRANSFORMER,
            profile_args={"schema": "staging", "threads": DBT_THREADS, "retries": CONNECT_RETRIES},
        ),
    )


def dbt_executable() -> str:
    """Path of dbt's command."""
    return shutil.which("dbt") or "dbt"


def _model_task(*, node: Any, dag: Any, task_group: Any, task_args: dict[str, Any], **_: Any) -> BaseOperator:
    if node.config.get("materialized") == "ephemeral":  # part of the models that read it: dbt builds nothing
        return EmptyOperator(task_id=node.name, dag=dag, task_group=task_group)
    return DbtModelOperator(
        task_id=node.name,
        dag=dag,
        task_group=task_group,
        extra_context={"dbt_node_config": node.context_dict},
        deferrable=False,
        poke_interval=SENSOR_SECONDS,
        **task_args,
    )


def task_that_runs_dbt(group: DbtTaskGroup) -> Any:
    """Find the one task of the group that runs dbt for all."""
    return group.children[f"{group.group_id}.{PRODUCER_WATCHER_TASK_ID}"]


def _run_dbt_our_way(group: DbtTaskGroup) -> None:
    """Exchange the class of the task that runs dbt: Cosmos lets that of the models' tasks be chosen only."""
    task_that_runs_dbt(group).__class__ = DbtBuildOperator
