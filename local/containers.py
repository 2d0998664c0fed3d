"""What `docker-compose.yaml` needs besides the Procfile's commands.

    python -m local.containers env       write the env file with generated secrets; keeps those that are there
    python -m local.containers init      databases, roles, schemas, buckets and the UI's password file
    python -m local.containers load      the main job: load the year, transform it, publish it
    python -m local.containers overdue   fail when purchases are due but not released (the replayer's health)

All but `env` run inside a container and read their secrets from the environment. `env` needs Python 3.11, no more.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from local import object_store, secrets_store
from local.settings import REPO, Settings

ENV_FILE = REPO / ".env"
ANCHOR = "DATASTACK_DEMO_ANCHOR"
# Without them the object store's inner parts would be open to whoever reaches them.
INNER_KEYS = tuple(
    f"WEED_JWT_{part}_KEY" for part in ("SIGNING", "SIGNING_READ", "FILER_SIGNING", "FILER_SIGNING_READ")
)
OVERDUE = "select count(*) from backlog.transactions where transaction_at < now() - interval '5 minutes'"


def generate(today: date) -> dict[str, str]:
    """Make everything that the env file holds, by name: secrets, and the day that plays today."""
    inner = {name: secrets.token_hex(32) for name in INNER_KEYS}
    return {**secrets_store.generate(), **inner, ANCHOR: today.isoformat()}


def write_env_file(path: Path, today: date) -> list[str]:
    """Add to the env file what it lacks, mode 600 from its first byte on; return the names that were added."""
    known = secrets_store.load(path) if path.exists() else {}
    missing = {name: value for name, value in generate(today).items() if name not in known}
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a") as file:
        os.fchmod(descriptor, 0o600)
        if known and not path.read_text().endswith("\n"):
            file.write("\n")
        file.writelines(f"{name}={value}\n" for name, value in missing.items())
    return sorted(missing)


@dataclass(frozen=True)
class Postgres:
    """A Postgres server somewhere on the network, its superuser's password known."""

    host: str
    port: int
    password: str

    def connect(self, database: str = "postgres", user: str = "postgres", password: str | None = None) -> Any:
        """Open an autocommit psycopg connection."""
        import psycopg

        return psycopg.connect(
            host=self.host,
            port=self.port,
            dbname=database,
            user=user,
            password=password or self.password,
            autocommit=True,
            connect_timeout=5,
        )


class ObjectStore(object_store.Server):
    """An object store somewhere on the network; it is used here, not run."""

    def __init__(self, host: str, settings: Settings, environment: Mapping[str, str]) -> None:
        keys = (environment[name] for name in secrets_store.key_names("admin"))
        admin = object_store.Identity("admin", *keys)
        super().__init__(settings.state / "s3", [admin], ports=settings.object_store_ports)
        self._host = host

    @property
    def endpoint(self) -> str:
        """Address of the S3 gateway."""
        return f"http://{self._host}:{self.ports.s3}"


@dataclass(frozen=True)
class Stack:
    """What the main job asks of a stack."""

    settings: Settings
    postgres: Postgres
    anchor: date


def _postgres(settings: Settings, environment: Mapping[str, str]) -> Postgres:
    password = environment[secrets_store.password_name("postgres")]
    return Postgres(environment["DATASTACK_POSTGRES_HOST"], settings.port("POSTGRES"), password)


def init(settings: Settings, environment: Mapping[str, str]) -> None:
    """Prepare the servers and the state folder; safe to run again. Raises KeyError for a missing variable."""
    from local import airflow_env, bootstrap

    server = _postgres(settings, environment)
    bootstrap.create_databases(server, environment)  # type: ignore[arg-type]
    bootstrap.prepare_warehouse(server, environment)  # type: ignore[arg-type]
    bootstrap.create_buckets(ObjectStore(environment["DATASTACK_S3_HOST"], settings, environment))
    settings.make_folders()
    airflow_env.write_ui_password(settings, environment)


def load(settings: Settings, environment: Mapping[str, str]) -> bool:
    """Run the main job; False when all had been loaded before. Raises JobError, KeyError."""
    from local.airflow_api import AirflowApi
    from local.main_job import MainJob
    from local.progress import Progress

    stack = Stack(settings, _postgres(settings, environment), date.fromisoformat(environment[ANCHOR]))
    url = f"http://{environment['DATASTACK_UI_HOST']}:{settings.port('UI')}"
    api = AirflowApi(url, environment["UI_ADMIN_PASSWORD"])
    api.sign_in()
    with Progress() as progress:
        return MainJob(stack, api, progress).run()  # type: ignore[arg-type]


def overdue(environment: Mapping[str, str]) -> int:
    """Count the purchases that should have been released five minutes ago."""
    import psycopg

    with psycopg.connect(environment["DEMO_RETAIL_DB_URI"], connect_timeout=5) as connection:
        row = connection.execute(OVERDUE).fetchone()
    return int(row[0]) if row else 0


def main(arguments: list[str]) -> int | str:
    """Run one command; return its exit status, or what went wrong."""
    try:
        return _run(arguments)
    except KeyError as error:
        return f"{error.args[0]} is not set: run this by docker-compose.yaml, which passes it from the env file."
    except (OSError, RuntimeError, ValueError) as error:
        return f"{' '.join(arguments)} failed: {error}"


def _run(arguments: list[str]) -> int | str:
    match arguments:
        case ["env"]:
            added = write_env_file(ENV_FILE, datetime.now(UTC).date())
            print(f"{ENV_FILE}: {len(added)} values added" if added else f"{ENV_FILE} is complete already")
        case ["init"]:
            init(Settings.load(), os.environ)
            print("databases, roles, schemas, buckets and the UI's password are there")
        case ["load"]:
            fresh = load(Settings.load(), os.environ)
            print("loaded and published" if fresh else "everything is loaded and published already")
        case ["overdue"]:
            return f"{count:,} purchases are overdue" if (count := overdue(os.environ)) else 0
        case _:
            return __doc__ or ""
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
