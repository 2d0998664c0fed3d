"""The DAG that :mod:`bench.as_tasks` runs: one stream of the bench, moved by the operator of the ingest DAGs."""

import os

from airflow.sdk import DAG, Param

from bench.declarations import SOURCE, WINDOW
from datastack.operators.move import MoveDatabaseOperator

_PARAMS = {name: Param(value) for name, value in zip(("window_start", "window_end"), WINDOW, strict=True)}

with DAG("bench_move", schedule=None, params=_PARAMS) as dag:
    MoveDatabaseOperator(task_id="move", source=SOURCE, stream=os.environ["BENCH_STREAM"])
