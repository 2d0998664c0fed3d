"""dlt: Postgres to Parquet in S3 (filesystem destination) to Postgres, as two pipelines.

The second reads the files back as Arrow and loads them by ADBC, dlt's fastest way into Postgres.

Run as ``python -m bench.peers.dlt_route connectorx|pyarrow TABLE DATASET`` in the peers' venv.
"""

import importlib
import os
import sys
import tempfile
from typing import Any

from bench.addresses import Addresses
from bench.child import timed
from bench.tables import SCHEMA

CHUNK_ROWS = 100_000
MODULES = (  # imported before the clock starts
    "dlt.destinations.impl.filesystem.filesystem",
    "dlt.destinations.impl.postgres.postgres",
    "dlt.sources.filesystem",
    "dlt.sources.sql_database",
    "adbc_driver_postgresql.dbapi",
    "connectorx",
    "pyarrow.parquet",
    "s3fs",
)


def main(backend: str, name: str, dataset: str) -> None:
    """Move a table into a dataset, which is a schema."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(
            DLT_DATA_DIR=folder,
            RUNTIME__DLTHUB_TELEMETRY="false",
            DATA_WRITER__DISABLE_COMPRESSION="true",
        )
        for module in MODULES:
            importlib.import_module(module)
        with timed():
            _move(Addresses.from_environment(), backend, name, dataset, folder)


def _move(at: Addresses, backend: str, name: str, dataset: str, folder: str) -> None:
    import dlt
    from dlt.sources.filesystem import filesystem, read_parquet
    from dlt.sources.sql_database import sql_table

    credentials = {
        "aws_access_key_id": at.s3_access_key,
        "aws_secret_access_key": at.s3_secret_key,
        "endpoint_url": at.s3_endpoint,
        "region_name": "us-east-1",
    }
    bucket = f"s3://{at.bucket}/dlt"
    table = sql_table(
        credentials=at.source,
        table=name,
        schema=SCHEMA,
        backend=backend,
        chunk_size=CHUNK_ROWS,
        reflection_level="full_with_precision",
    )
    lake = dlt.destinations.filesystem(bucket_url=bucket, credentials=credentials)
    _run("unload", lake, dataset, folder, table, name)
    files = filesystem(bucket_url=f"{bucket}/{dataset}", credentials=credentials, file_glob=f"{name}/*.parquet")
    rows = files | read_parquet(chunksize=CHUNK_ROWS, use_pyarrow=True)
    _run("load", dlt.destinations.postgres(credentials=at.warehouse), dataset, folder, rows, name)


def _run(step: str, destination: Any, dataset: str, folder: str, rows: Any, name: str) -> None:
    import dlt

    pipeline = dlt.pipeline(f"bench_{step}", pipelines_dir=folder, destination=destination, dataset_name=dataset)
    info = pipeline.run(rows, table_name=name, loader_file_format="parquet", write_disposition="append")
    info.raise_on_failed_jobs()


if __name__ == "__main__":
    main(*sys.argv[1:])
