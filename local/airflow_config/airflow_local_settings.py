"""Airflow imports this module when a process starts: heavy imports are done once, before tasks are forked off.

Tasks of LocalExecutor are forks of forks of the scheduler, and DAG parsing is a fork of the DAG processor. What
they import costs each of them seconds, unless the parent has it already.
"""

import importlib
import os
import warnings

__all__: list[str] = []  # everything public here would become a setting of Airflow

MODULES = {
    "scheduler": (
        "asyncpg",
        "boto3.s3.transfer",
        "dbt.cli.main",
        "dbt.adapters.postgres",
        "cosmos.operators.watcher",
        "datastack.codec.preload",
        "httpx",
        "openlineage.client",
        "airflow.providers.openlineage.extractors",
        "airflow.providers.amazon.aws.hooks.s3",
        "airflow.providers.postgres.hooks.postgres",
        "psycopg",
        "pyarrow.parquet",
        "soda_core.contracts",
        "soda_postgres.common.data_sources.postgres_data_source",
        "uvloop",
    ),
    "dag-processor": ("cosmos", "cosmos.operators.watcher"),
}

for _module in MODULES.get(os.environ.get("DATASTACK_PRELOAD", ""), ()):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            importlib.import_module(_module)
        except ImportError as _error:  # the task that needs it says so properly
            print(f"not preloaded: {_error}")
