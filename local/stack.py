"""One stack's parts, put together from its settings and secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

from local import airflow_env, bootstrap, object_store, postgres, secrets_store
from local.net import HOST
from local.settings import REPO, Settings, SettingsError

PROCFILE = REPO / "local" / "Procfile"
SERVERS = ("postgres", "s3")
DEMO = ("marketing_api", "replayer", "partner")
ANCHOR_VARIABLE = "DATASTACK_DEMO_ANCHOR"


@dataclass(frozen=True)
class Stack:
    """The servers and environments of one stack."""

    settings: Settings

    @cached_property
    def secrets(self) -> dict[str, str]:
        """The stack's secrets; made when there are none."""
        self.settings.make_folders()
        return secrets_store.load_or_create(self.settings.state / "secrets.env")

    @cached_property
    def postgres(self) -> postgres.Server:
        """The Postgres server."""
        data = self.settings.state / "postgres"
        password = self.secrets[secrets_store.password_name("postgres")]
        return postgres.Server(data, self.settings.port("POSTGRES"), password, log=self.settings.log)

    @cached_property
    def object_store(self) -> object_store.Server:
        """The object store."""
        return object_store.Server(
            self.settings.state / "s3",
            bootstrap.s3_identities(self.secrets),
            ports=self.settings.object_store_ports,
            log=self.settings.log,
        )

    @cached_property
    def airflow_env(self) -> dict[str, str]:
        """Environment of Airflow's processes and commands."""
        return airflow_env.airflow_env(self.settings, self.secrets)

    @cached_property
    def demo_env(self) -> dict[str, str]:
        """Environment of the demo source systems."""
        return airflow_env.demo_env(self.settings, self.secrets, self.anchor)

    @cached_property
    def anchor(self) -> date:
        """The day that plays today: the first `up` decides, later ones keep it."""
        return _anchor(self.settings.state / "anchor", _asked_anchor())

    def exec_psql(self, role: str) -> None:
        """Become psql in the warehouse, as one of its roles; the password is in no argument that `ps` shows."""
        server = ["-h", HOST, "-p", str(self.settings.port("POSTGRES"))]
        environment = os.environ | {"PGPASSWORD": self.secrets[secrets_store.password_name(role)]}
        os.execve(postgres.binaries() / "psql", ["psql", *server, "-U", role, "warehouse"], environment)  # noqa: S606

    def env_of(self, process: str) -> Mapping[str, str]:
        """Return the environment of a process of the Procfile: no process gets secrets that it does not use."""
        if process in SERVERS:
            return airflow_env.base_env(self.settings)
        return self.demo_env if process in DEMO else self.airflow_env


def _asked_anchor() -> date | None:
    import os

    text = os.environ.get(ANCHOR_VARIABLE)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise SettingsError(f"{ANCHOR_VARIABLE} is {text!r}: set a day such as 2026-01-31.") from error


def _anchor(path: Path, asked: date | None) -> date:
    if not path.exists():
        path.write_text(f"{asked or datetime.now(UTC).date()}\n")
    kept = date.fromisoformat(path.read_text().strip())
    if asked and asked != kept:
        raise SettingsError(
            f"{ANCHOR_VARIABLE} is {asked}, but the data in {path.parent} were made for {kept}: "
            "unset it, or start afresh with `make clean`."
        )
    return kept
