"""Turns Airflow connections into what the engine takes. The only place that reads a secret."""

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook, Connection

from datastack.contract.privacy import Pseudonymiser

if TYPE_CHECKING:
    from datastack.lake.store import LakeStore
    from datastack.quality.gate import Warehouse

LAKE = "lake"
LOADER = "warehouse_loader"
TRANSFORMER = "warehouse_transformer"
PRIVACY_KEY = "privacy_key"


class BadConnectionError(ValueError):
    """An Airflow connection lacks something: names it and the field."""


def connection(conn_id: str) -> Connection:
    """Fetch an Airflow connection."""
    found: Connection = BaseHook.get_connection(conn_id)
    return found


def postgres_uri(conn_id: str) -> str:
    """Libpq address of a Postgres connection; carries the password, so it is for drivers only."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    hook = PostgresHook(postgres_conn_id=conn_id)
    return hook.sqlalchemy_url.set(drivername="postgresql").render_as_string(hide_password=False)


def postgres_table(conn_id: str, schema: str, table: str) -> tuple[str, str]:
    """Lineage name of a table behind a Postgres connection."""
    from datastack.lineage.datasets import postgres_name

    conn = connection(conn_id)
    return postgres_name(conn.host or "", conn.port or 5432, conn.schema or "", schema, table)


def soda_warehouse(conn_id: str) -> "Warehouse":
    """Warehouse as gates connect to it."""
    from datastack.quality.gate import Warehouse

    conn = connection(conn_id)
    return Warehouse(
        _required(conn, "host"),
        conn.port or 5432,
        _required(conn, "schema"),
        _required(conn, "login"),
        conn.password or "",
    )


def lake_store(conn_id: str = LAKE) -> "LakeStore":
    """Lake behind an AWS connection: ``bucket`` in its extra, ``endpoint_url`` there for S3-compatible stores."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

    from datastack.lake.store import LakeStore

    extra = connection(conn_id).extra_dejson
    if not extra.get("bucket"):
        raise BadConnectionError(f'connection {conn_id!r}: its extra names no bucket; add {{"bucket": "…"}}')
    hook: AwsGenericHook = AwsGenericHook(aws_conn_id=conn_id)
    credentials = hook.get_credentials(region_name=extra.get("region_name"))
    filesystem = S3FileSystem(
        access_key=credentials.access_key,
        secret_key=credentials.secret_key,
        session_token=credentials.token,
        region=extra.get("region_name"),
        endpoint_override=extra.get("endpoint_url"),
        connect_timeout=10,
        request_timeout=60,
        retry_strategy=AwsStandardS3RetryStrategy(max_attempts=4),
    )
    return LakeStore(filesystem, extra["bucket"])


def pseudonymiser(conn_id: str = PRIVACY_KEY) -> Pseudonymiser:
    """Keyed hash with the key that the connection's password holds, in hexadecimal."""
    try:
        key = bytes.fromhex(connection(conn_id).password or "")
    except ValueError:
        raise BadConnectionError(f"connection {conn_id!r}: its password is not a hexadecimal key") from None
    return Pseudonymiser(key)


def _required(conn: Connection, field: str) -> str:
    value = getattr(conn, field)
    if not value:
        raise BadConnectionError(f"connection {conn.conn_id!r} has no {field}")
    return str(value)
