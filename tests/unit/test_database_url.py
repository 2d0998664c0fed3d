"""Addresses for ConnectorX, made of Airflow connections."""

import json
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from datastack.operators.connections import BadConnectionError, database_url

SECRET = "p@ss/w:o?r#d %41ü"
FULL = {"host": "db.example", "port": 1234, "login": "re@der", "password": SECRET, "schema": "shop"}


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_(**fields: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps({"conn_type": "generic"} | fields))

    return set_


@pytest.mark.parametrize("kind", ["mysql", "mssql", "oracle"])
def test_every_part_survives_the_address(connect: Any, kind: str):
    connect(**FULL)
    found = urlsplit(database_url("shop", kind))
    assert (found.scheme, found.hostname, found.port, found.path) == (kind, "db.example", 1234, "/shop")
    assert (unquote(found.username or ""), unquote(found.password or "")) == ("re@der", SECRET)


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("mysql", {"host": "h"}, "mysql://h/"),
        ("mssql", FULL | {"password": "p", "login": "u", "extra": {"encrypt": "true", "other": 1}},
         "mssql://u:p@db.example:1234/shop?encrypt=true"),
        ("oracle", {"host": "alias", "login": "u", "password": "p", "extra": {"alias": "true", "schema": "S"}},
         "oracle://u:p@alias/?alias=true&schema=S"),
        ("trino", {"host": "h", "login": "u", "password": "p$'(1)", "schema": "lake"}, "trino+https://u:p$'(1)@h/lake"),
        ("trino", {"host": "h", "login": "u", "schema": "lake", "extra": {"protocol": "http", "verify": "false"}},
         "trino+http://u@h/lake?verify=false"),
        ("sqlite", {"host": "/data/a shop#1.db"}, "sqlite:///data/a%20shop%231.db"),
        ("sqlite", {"schema": "/data/shop.db"}, "sqlite:///data/shop.db"),
        ("bigquery", {"extra": {"key_path": "/keys/k.json"}}, "bigquery:///keys/k.json"),
    ],
)  # fmt: skip
def test_addresses(connect: Any, kind: str, fields: dict[str, Any], expected: str):
    connect(**fields)
    assert database_url("shop", kind) == expected


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("mysql", {"login": "u"}, "has no host"),
        ("sqlite", {}, "has no schema"),
        ("trino", {"host": "h", "login": "u", "password": SECRET}, "Give the user another password"),
        ("bigquery", {}, "must name a key file"),
        ("bigquery", {"extra": {"key_path": "/my keys/k.json"}}, "must name a key file"),
    ],
)
def test_what_connectorx_can_not_take_is_refused(connect: Any, kind: str, fields: dict[str, Any], message: str):
    connect(**fields)
    with pytest.raises(BadConnectionError, match=message) as found:
        database_url("shop", kind)
    assert SECRET not in str(found.value)
