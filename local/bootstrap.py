"""Databases, roles, schemas and buckets. Every step may run again on what is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local import object_store, postgres
from local.secrets_store import ROLES, key_names, password_name

SQL = Path(__file__).resolve().parents[1] / "include" / "sql"
# database → the role that owns it; None is the superuser
DATABASES = {"airflow": "airflow", "retail_db": "retail_app", "warehouse": None}
# database → the other roles that may connect to it
GUESTS = {
    "airflow": (),
    "retail_db": ("retail_reader",),
    "warehouse": ("loader", "transformer", "analyst", "ml"),
}
READ, WRITE = ("Read", "List"), ("Read", "Write", "List", "Tagging")
# user of the object store → what it may do in which bucket; everyone else may do nothing. None: everything
S3_RIGHTS: dict[str, dict[str, tuple[str, ...]] | None] = {
    "admin": None,
    "lake": {"lake": WRITE},  # conformed
    "landing": {"landing": WRITE},  # as received: personal data in clear text
    "partner": {"partner-drops": WRITE},
    "partner_reader": {"partner-drops": READ},
}
BUCKETS = ("lake", "landing", "partner-drops")


def create_databases(server: postgres.Server, secrets: Mapping[str, str]) -> None:
    """Create the login roles with their passwords, and the databases, each closed to all but its own roles."""
    with server.connect() as connection:
        for role in ROLES:
            _role(connection, role, secrets[password_name(role)])
        existing = {name for (name,) in connection.execute("select datname from pg_database")}
        for database, owner in DATABASES.items():
            if database not in existing:
                connection.execute(f"create database {database} owner {owner or 'postgres'}")
            connection.execute(f"revoke connect on database {database} from public")
            for guest in GUESTS[database]:
                connection.execute(f"grant connect on database {database} to {guest}")
    with server.connect("retail_db") as connection:
        connection.execute(
            "alter default privileges for role retail_app in schema public grant select on tables to retail_reader"
        )


def prepare_warehouse(server: postgres.Server, secrets: Mapping[str, str]) -> None:
    """Create the warehouse's schemas and grants, and the ledger."""
    script = (SQL / "postgres" / "warehouse.sql").read_text()
    with server.connect("warehouse") as connection:
        connection.execute(script.replace("{database}", "warehouse"))
    with server.connect("warehouse", "loader", secrets[password_name("loader")]) as connection:
        connection.execute((SQL / "ops" / "ledger.sql").read_text())


def create_buckets(store: object_store.Server) -> None:
    """Create the lake's two buckets and the one into which partners drop files."""
    store.create_buckets(BUCKETS)


def s3_identities(secrets: Mapping[str, str]) -> list[object_store.Identity]:
    """Return the users of the object store with their keys; the first one may do everything."""
    keys = {user: [secrets[name] for name in key_names(user)] for user in S3_RIGHTS}
    return [object_store.Identity(user, *keys[user], rights) for user, rights in S3_RIGHTS.items()]


def _role(connection: Any, role: str, password: str) -> None:
    from psycopg import sql

    known = connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone()
    verb = sql.SQL("alter role {} login password {}" if known else "create role {} login password {}")
    connection.execute(verb.format(sql.Identifier(role), sql.Literal(password)))
