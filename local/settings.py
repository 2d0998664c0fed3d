"""Where the stack lives and listens: ports from `local/ports.env`, state in `.datastack/`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local.object_store import Ports

REPO = Path(__file__).resolve().parents[1]
PORTS_FILE = REPO / "local" / "ports.env"
STATE_VARIABLE = "DATASTACK_STATE"


class SettingsError(ValueError):
    """A setting is wrong; the message names it and says what would be right."""


@dataclass(frozen=True)
class Settings:
    """Everything about one stack that is no secret.

    :param state: folder of all its state.
    :param ports: port by variable name, as in `local/ports.env`.
    """

    state: Path
    ports: Mapping[str, int]

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the ports file and the environment. Raises SettingsError."""
        environ = os.environ if environment is None else environment
        state = Path(environ.get(STATE_VARIABLE) or REPO / ".datastack")
        ports = {name: _port(name, environ.get(name) or value) for name, value in _read_ports().items()}
        _refuse_duplicates(ports)
        return cls(state=state.absolute(), ports=ports)

    def port(self, name: str) -> int:
        """Return a port by its short name, such as `UI` or `POSTGRES`."""
        return self.ports[f"DATASTACK_{name}_PORT"]

    @property
    def object_store_ports(self) -> Ports:
        """Ports of the object store's parts."""
        inner = ("GRPC", "MASTER", "MASTER_GRPC", "VOLUME", "VOLUME_GRPC", "FILER", "FILER_GRPC")
        return Ports(self.port("S3"), *(self.port(f"S3_{part}") for part in inner))

    @property
    def log(self) -> Path:
        """The combined log of all processes."""
        return self.state / "logs" / "stack.log"

    @property
    def lineage_file(self) -> Path:
        """OpenLineage events, one JSON document a line."""
        return self.state / "lineage" / "events.jsonl"

    @property
    def airflow_home(self) -> Path:
        """Airflow's folder: task logs, and the password file of its UI."""
        return self.state / "airflow"

    @property
    def ui_url(self) -> str:
        """Address of the Airflow UI, for people."""
        return f"http://localhost:{self.port('UI')}"

    def make_folders(self) -> None:
        """Create the state folder and its subfolders, closed to other users."""
        # As root, Postgres runs as another user, who must pass through (but not list) the state folder.
        _folder(self.state, 0o711 if os.geteuid() == 0 else 0o700)
        for folder in (self.log.parent, self.lineage_file.parent, self.airflow_home):
            _folder(folder, 0o700)


def _folder(path: Path, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(mode)


def _read_ports() -> dict[str, str]:
    lines = (line.strip() for line in PORTS_FILE.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _port(name: str, text: str) -> int:
    if not text.isdecimal() or not 1024 <= int(text) <= 65535:
        raise SettingsError(f"{name} is {text!r}: set a port between 1024 and 65535.")
    return int(text)


def _refuse_duplicates(ports: Mapping[str, int]) -> None:
    owner: dict[int, str] = {}
    for name, port in ports.items():
        if port in owner:
            raise SettingsError(f"{owner[port]} and {name} are both {port}: give each its own port.")
        owner[port] = name
