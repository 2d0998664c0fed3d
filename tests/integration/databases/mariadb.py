"""A real MariaDB server, Debian's binaries, on loopback with a password, its data in a temporary folder."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

import pymysql
import pytest

from local.net import HOST
from local.process import ServerProcess

PASSWORD = "p@ss/w:o?r#d %41ü"  # everything that an address must encode
DATABASE = "Shop"


def required() -> bool:
    """Whether tests must fail, not be skipped, where there is no MariaDB."""
    return bool(os.environ.get("CI") or os.environ.get("DATASTACK_REQUIRE_MARIADB"))


def skip_if_absent() -> None:
    """Skip the calling test where MariaDB is not installed and need not be."""
    if shutil.which("mariadbd") is None and not required():
        pytest.skip("no mariadbd: apt-get install --no-install-recommends mariadb-server, or run .ci/run as root")


class Server:
    """One MariaDB server.

    :param folder: an existing folder for its data and log.
    :param port: loopback port.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self._data, self.port = folder / "mariadb", port
        self._process = ServerProcess("MariaDB", folder / "mariadb.log")

    def start(self) -> Self:
        """Initialise and start; raise RuntimeError when it does not come up."""
        self._data.mkdir(mode=0o700)
        # As root it must be told so; another user could not reach pytest's folders, which are root's own.
        user = ["--user=root"] if os.geteuid() == 0 else []
        common = ["--no-defaults", f"--datadir={self._data}", *user]
        install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"mariadb-install-db failed:\n{done.stdout}\n{done.stderr}")
        options = [f"--port={self.port}", f"--bind-address={HOST}", f"--socket={self._data}/s", "--skip-name-resolve"]
        zone = ["--default-time-zone=+05:30", "--innodb-flush-log-at-trx-commit=0"]  # no zone that a reader may rely on
        binary = shutil.which("mariadbd") or "mariadbd"
        self._process.start([binary, *common, *options, *zone], self._is_ready)
        with self.connect("root", "", "mysql") as db:
            db.execute(f"create database {DATABASE} character set utf8mb4")
            db.execute("create user reader@'%%' identified by %s", (PASSWORD,))
            db.execute("grant select on *.* to reader@'%'")
        return self

    def stop(self) -> None:
        """Stop the server that this object started."""
        self._process.stop()

    def connect(self, user: str = "root", password: str = "", database: str = DATABASE) -> Any:
        """Open a cursor of the engine's own client, in UTC."""
        connection = pymysql.connect(
            host=HOST, port=self.port, user=user, password=password, database=database, autocommit=True
        )
        cursor = connection.cursor()
        cursor.execute("set time_zone = '+00:00'")
        return cursor

    def _is_ready(self) -> bool:
        try:
            self.connect("root", "", "mysql").close()
        except pymysql.OperationalError:
            return False
        return True
