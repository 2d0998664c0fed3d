"""A MariaDB for the session, and a new SQLite file for each test."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from datastack.operators.connections import database_url
from local.net import HOST, free_ports
from tests.integration.databases import mariadb


@pytest.fixture(scope="session")
def maria(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mariadb.Server]:
    mariadb.skip_if_absent()
    server = mariadb.Server(tmp_path_factory.mktemp("maria"), free_ports(1)[0])
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def maria_url(maria: mariadb.Server, monkeypatch: pytest.MonkeyPatch) -> str:
    fields = {"host": HOST, "port": maria.port, "schema": mariadb.DATABASE, "conn_type": "mysql"}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(fields | {"login": "reader", "password": mariadb.PASSWORD}))
    return database_url("shop", "mysql")


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[tuple[sqlite3.Connection, str]]:
    file = tmp_path / "a shop #1 ü?%41.db"
    db = sqlite3.connect(file, isolation_level=None)
    yield db, f"sqlite://{quote(str(file))}"
    db.close()
