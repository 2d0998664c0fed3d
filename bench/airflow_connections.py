"""The servers as Airflow connections, which need no metadata database when they stand in the environment."""

import json
from urllib.parse import urlsplit

from bench.addresses import Addresses


def environment(at: Addresses) -> dict[str, str]:
    """Return a variable for each connection: those that the engine expects, and two as administrator."""
    lake = {
        "conn_type": "aws",
        "login": at.s3_access_key,
        "password": at.s3_secret_key,
        "extra": {"endpoint_url": at.s3_endpoint, "region_name": "us-east-1", "bucket": at.bucket},
    }
    return {
        "AIRFLOW_CONN_LAKE": json.dumps(lake),
        "AIRFLOW_CONN_LANDING": json.dumps(lake),
        "AIRFLOW_CONN_WAREHOUSE_LOADER": _postgres(at.loader),
        "AIRFLOW_CONN_PRIVACY_KEY": json.dumps({"conn_type": "generic", "password": "00" * 32}),
        "AIRFLOW_CONN_BENCH_SOURCE": _postgres(at.source),
        "AIRFLOW_CONN_BENCH_WAREHOUSE": _postgres(at.warehouse),
    }


def _postgres(uri: str) -> str:
    parts = urlsplit(uri)
    connection = {
        "conn_type": "postgres",
        "host": parts.hostname,
        "port": parts.port,
        "login": parts.username,
        "password": parts.password,
        "schema": parts.path.removeprefix("/"),
    }
    return json.dumps(connection)
