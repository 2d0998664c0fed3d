"""Airflow's own transfer operators: Postgres to CSV in S3 to Postgres, executed as a task does, without a scheduler.

The payload is read as text and empty fields are inserted as NULL: without that, JSON would arrive as Python's repr and
NULL as an empty string, which fails.

Run as ``python -m bench.peers.airflow_route TABLE TARGET`` with the product's Python.
"""

import csv
import os
import sys
from collections.abc import Iterator

from bench.addresses import Addresses
from bench.airflow_connections import environment
from bench.child import timed
from bench.tables import Table, by_name

KEY = "airflow/orders.csv"
COMMIT_EVERY = 10_000


def main(name: str, target: str) -> None:
    """Move a table into one that exists."""
    at, table = Addresses.from_environment(), by_name(name)
    os.environ.update(environment(at), AIRFLOW__LOGGING__LOGGING_LEVEL="WARNING")
    import airflow.providers.amazon.aws.transfers.s3_to_sql
    import airflow.providers.amazon.aws.transfers.sql_to_s3  # noqa: F401 before the clock starts, as
    import pandas  # noqa: F401 what it needs

    with timed():
        _move(at.bucket, table, target)


def _move(bucket: str, table: Table, target: str) -> None:
    from airflow.providers.amazon.aws.transfers.s3_to_sql import S3ToSqlOperator
    from airflow.providers.amazon.aws.transfers.sql_to_s3 import SqlToS3Operator

    columns = ", ".join(f"{name}::text" if kind == "jsonb" else name for name, kind, _ in table.columns)
    SqlToS3Operator(
        task_id="unload",
        query=f"select {columns} from {table.path}",
        s3_bucket=bucket,
        s3_key=KEY,
        sql_conn_id="bench_source",
        aws_conn_id="lake",
        df_kwargs={"index": False},
        replace=True,
    ).execute({})
    S3ToSqlOperator(
        task_id="load",
        s3_bucket=bucket,
        s3_key=KEY,
        table=target,  # with its schema: the parameter of that name is not used
        column_list=table.names,
        parser=_rows,
        commit_every=COMMIT_EVERY,
        sql_conn_id="bench_warehouse",
        aws_conn_id="lake",
    ).execute({})


def _rows(path: str) -> Iterator[list[str | None]]:
    with open(path, newline="") as file:  # noqa: PTH123 a name is what the operator gives
        lines = csv.reader(file)
        next(lines)
        for line in lines:
            yield [value or None for value in line]


if __name__ == "__main__":
    main(*sys.argv[1:])
