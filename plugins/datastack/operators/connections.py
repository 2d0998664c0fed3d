"""Turns Airflow connections into what the engine takes. The only place that reads a secret."""

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from airflow.sdk import BaseHook, Connection

from datastack.contract.privacy import Pseudonymiser

if TYPE_CHECKING:
    from datastack.lake.store import LakeStore
    from datastack.quality.gate import Warehouse

LAKE = "lake"
LOADER = "warehouse_loader"
TRANSFORMER = "warehouse_transformer"
PRIVACY_KEY = "privacy_key"
_TRINO_SAFE = "!$&'()*+,"  # what ConnectorX passes on as it is; it decodes an address once too often, and not the rest
_PARAMETERS = {  # of extra, by kind of database
    "mysql": (),
    "mssql": ("encrypt", "trust_server_certificate", "trust_server_certificate_ca"),
    "oracle": ("alias", "schema"),
    "trino": ("verify",),
}


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


def database_table(conn_id: str, kind: str, table: str) -> tuple[str, str]:
    """Lineage name of a table behind a database connection."""
    from datastack.lineage.datasets import database_name

    conn = connection(conn_id)
    return database_name(kind, conn.host or "", conn.port, conn.schema or "", table)


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

    from datastack.lake.store import LakeStore, s3

    extra = connection(conn_id).extra_dejson
    if not extra.get("bucket"):
        raise BadConnectionError(f'connection {conn_id!r}: its extra names no bucket; add {{"bucket": "…"}}')
    hook: AwsGenericHook = AwsGenericHook(aws_conn_id=conn_id)
    credentials = hook.get_credentials(region_name=extra.get("region_name"))
    filesystem = s3(
        credentials.access_key,
        credentials.secret_key,
        credentials.token,
        extra.get("region_name"),
        extra.get("endpoint_url"),
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


def database_url(conn_id: str, kind: str) -> str:
    """Address of a database; carries the password, so it is for drivers only.

    The database is the connection's ``schema``: for Oracle the service, for Trino the catalogue. SQLite's file is the
    host, or the schema. Extra holds BigQuery's ``key_path``; ``alias`` and ``schema`` for Oracle; ``protocol``
    (``http`` or ``https``) and ``verify`` for Trino; ``encrypt``, ``trust_server_certificate`` and
    ``trust_server_certificate_ca`` for SQL Server.

    :raises BadConnectionError: naming the field that is missing, or that ConnectorX can't take.
    """
    if kind == "postgres":
        return postgres_uri(conn_id)
    conn = connection(conn_id)
    if kind == "sqlite":
        return f"sqlite://{quote(conn.host or _required(conn, 'schema'))}"
    extra = {name: str(value) for name, value in conn.extra_dejson.items()}
    if kind == "bigquery":
        return f"bigquery://{_key_path(conn_id, extra)}"
    safe = _TRINO_SAFE if kind == "trino" else ""
    credentials = [quote(part, safe=safe) for part in (conn.login, conn.password) if part]
    if kind == "trino" and credentials != [part for part in (conn.login, conn.password) if part]:
        raise BadConnectionError(
            f"connection {conn_id!r}: ConnectorX takes only letters, digits and _.-~{safe} in a login or password for "
            "Trino. Give the user another password"
        )
    scheme = f"trino+{extra.get('protocol', 'https')}" if kind == "trino" else kind
    place = f"{_required(conn, 'host')}:{conn.port}" if conn.port else _required(conn, "host")
    given = {name: extra[name] for name in _PARAMETERS[kind] if name in extra}
    address = f"{place}/{quote(conn.schema or '', safe='')}{'?' if given else ''}{urlencode(given)}"
    return f"{scheme}://{':'.join(credentials)}{'@' if credentials else ''}{address}"


def _key_path(conn_id: str, extra: dict[str, str]) -> str:
    path = extra.get("key_path", "")
    if not path.startswith("/") or quote(path) != path:
        raise BadConnectionError(
            f'connection {conn_id!r}: its extra must name a key file, as {{"key_path": "/…/key.json"}}, by a path of '
            "letters, digits and /_.-~ only"
        )
    return path
