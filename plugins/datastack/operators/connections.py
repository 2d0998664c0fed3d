"""Turns Airflow connections into what the engine takes. The only place that reads a secret."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from airflow.sdk import BaseHook, Connection

from datastack.contract.privacy import Pseudonymiser

if TYPE_CHECKING:
    from datastack.contract.file_sources import FileSource
    from datastack.lake.inventory import Inventory, Shelf
    from datastack.lake.layout import Zone
    from datastack.lake.store import Bucket, LakeStore
    from datastack.quality.gate import Warehouse
    from datastack.source.files.sftp import SftpLogin
    from datastack.source.files.store import FileStore
    from datastack.source.rest.secrets import Credentials

LAKE = "lake"
LANDING = "landing"
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


def lake_store() -> "LakeStore":
    """Lake behind two AWS connections: one for what is as received, one for everything else."""
    from datastack.lake.store import LakeStore

    return LakeStore(lake=_bucket(LAKE), landing=_bucket(LANDING))


def lake_inventory() -> "Inventory":
    """List and delete in the lake, behind the same two connections."""
    from datastack.lake.inventory import Inventory

    return Inventory(lake=_shelf(LAKE), landing=_shelf(LANDING))


def lake_bucket_client() -> tuple[Any, str]:
    """S3 client for the bucket of conformed data, and the bucket's name."""
    return _s3_client(LAKE), _bucket_name(LAKE)


def lake_bucket(zone: "Zone") -> str:
    """Name of the bucket that a zone stands in."""
    from datastack.lake.layout import is_as_received

    return _bucket_name(LANDING if is_as_received(zone) else LAKE)


def _bucket(conn_id: str) -> "Bucket":
    """Bucket behind an AWS connection; ``endpoint_url`` in its extra for S3-compatible stores."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

    from datastack.lake.store import Bucket, s3

    name, extra = _bucket_name(conn_id), connection(conn_id).extra_dejson
    hook: AwsGenericHook = AwsGenericHook(aws_conn_id=conn_id)
    credentials = hook.get_credentials(region_name=extra.get("region_name"))
    filesystem = s3(
        credentials.access_key,
        credentials.secret_key,
        credentials.token,
        extra.get("region_name"),
        extra.get("endpoint_url"),
    )
    return Bucket(filesystem, name)


def _shelf(conn_id: str) -> "Shelf":
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook

    from datastack.lake.inventory import Shelf

    hook: AwsGenericHook = AwsGenericHook(aws_conn_id=conn_id, client_type="s3")
    return Shelf(hook.get_conn(), _bucket_name(conn_id))


def _bucket_name(conn_id: str) -> str:
    name = connection(conn_id).extra_dejson.get("bucket")
    if not name:
        raise BadConnectionError(f'connection {conn_id!r}: its extra names no bucket; add {{"bucket": "…"}}')
    return str(name)


def pseudonymiser(conn_id: str = PRIVACY_KEY) -> Pseudonymiser:
    """Keyed hash with the key that the connection's password holds, in hexadecimal."""
    try:
        key = bytes.fromhex(connection(conn_id).password or "")
    except ValueError:
        raise BadConnectionError(f"connection {conn_id!r}: its password is not a hexadecimal key") from None
    return Pseudonymiser(key)


def api(conn_id: str) -> tuple[str, "Credentials"]:
    """Address and credentials of a REST API.

    The connection's host may be a whole address, with a path; else ``schema`` is its scheme, https unless given.
    """
    from datastack.source.rest.secrets import Credentials

    conn = connection(conn_id)
    host = _required(conn, "host")
    parts = urlsplit(host if "://" in host else f"{conn.schema or 'https'}://{host}")
    if conn.port:
        parts = parts._replace(netloc=f"{parts.hostname}:{conn.port}")
    extra = {name: str(value) for name, value in conn.extra_dejson.items()}
    address = parts._replace(query="", fragment="").geturl().rstrip("/")
    return address, Credentials(conn_id, conn.login or "", conn.password or "", extra)


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


def file_store(source: "FileSource") -> "FileStore":
    """Store of files behind a connection; connect to it by ``with``.

    For SFTP, extra holds the server's public ``host_key``; it may hold ``private_key``, ``private_key_passphrase``.

    :raises BadConnectionError: naming the field that is missing.
    """
    if source.store == "s3":
        from datastack.source.files.s3 import S3Store

        return S3Store(_s3_client(source.connection), source.folder)
    if source.store == "http":
        from datastack.source.files.http import HttpLogin, HttpStore

        conn = connection(source.connection)
        address, _ = api(source.connection)
        return HttpStore(HttpLogin(address, conn.login, conn.password), source.folder)
    from datastack.source.files.sftp import SftpStore

    return SftpStore(_sftp_login(connection(source.connection)), source.folder)


def folder_name(source: "FileSource") -> tuple[str, str]:
    """Lineage name of a source's folder."""
    from datastack.lineage.datasets import folder_name

    conn = connection(source.connection)
    address = api(source.connection)[0] if source.store == "http" else f"{conn.host or ''}:{conn.port or 22}"
    return folder_name(source.store, address, source.folder)


def _s3_client(conn_id: str) -> Any:
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    from botocore.config import Config

    config = Config(connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5})
    hook: AwsGenericHook = AwsGenericHook(aws_conn_id=conn_id, client_type="s3", config=config)
    return hook.get_conn()


def _sftp_login(conn: Connection) -> "SftpLogin":
    from datastack.source.files.sftp import SftpLogin

    extra = {name: str(value) for name, value in conn.extra_dejson.items()}
    if not extra.get("host_key"):
        raise BadConnectionError(
            f'connection {conn.conn_id!r}: its extra names no host_key; add {{"host_key": "ssh-ed25519 AAAA…"}}, the '
            "server's public key as its owner gives it, not as the network does"
        )
    return SftpLogin(
        host=_required(conn, "host"),
        port=conn.port or 22,
        user=_required(conn, "login"),
        host_key=extra["host_key"],
        password=conn.password,
        private_key=extra.get("private_key"),
        passphrase=extra.get("private_key_passphrase"),
    )
