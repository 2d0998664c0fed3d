"""Sling: Postgres to CSV in S3 to Postgres, by its command line.

CSV, because Sling hands Parquet to a DuckDB program that it downloads, which a bench without network can't have; and
inserting directly, without its temporary table, because that was its faster way.

Run as ``python -m bench.peers.sling_route TABLE TARGET`` in the peers' venv.
"""

import json
import os
import subprocess
import sys

from bench.addresses import Addresses
from bench.child import timed


def main(table: str, target: str) -> None:
    """Move a table."""
    from sling_linux_amd64 import SLING_BIN

    at = Addresses.from_environment()
    folder = f"s3://{at.bucket}/sling/{table}"
    unload = _step("BENCH_SOURCE", table, "BENCH_LAKE", f"{folder}/*.csv")
    load = _step("BENCH_LAKE", folder, "BENCH_WAREHOUSE", target)
    with timed():
        for step in (unload, load):
            subprocess.run([SLING_BIN, "run", *step], env={**os.environ, **_environment(at)}, check=True)


def _step(source: str, stream: str, target: str, target_object: str) -> list[str]:
    return ["--src-conn", source, "--src-stream", stream, "--tgt-conn", target, "--tgt-object", target_object]


def _environment(at: Addresses) -> dict[str, str]:
    """Connections, as Sling reads them from variables."""
    lake = {
        "type": "s3",
        "bucket": at.bucket,
        "endpoint": at.s3_endpoint,
        "region": "us-east-1",
        "access_key_id": at.s3_access_key,
        "secret_access_key": at.s3_secret_key,
    }
    return {
        "BENCH_SOURCE": f"{at.source}?sslmode=disable",
        "BENCH_WAREHOUSE": f"{at.warehouse}?sslmode=disable",
        "BENCH_LAKE": json.dumps(lake),
        "SLING_DIRECT_INSERT": "true",
        "SLING_DISABLE_TELEMETRY": "true",
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
