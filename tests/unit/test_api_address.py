"""Addresses and credentials of APIs, made of Airflow connections."""

import json
from typing import Any

import pytest

from datastack.operators.connections import BadConnectionError, api


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({"host": "https://api.example"}, "https://api.example"),
        ({"host": "https://api.example/v2/"}, "https://api.example/v2"),
        ({"host": "http://127.0.0.1:8001"}, "http://127.0.0.1:8001"),
        ({"host": "api.example"}, "https://api.example"),
        ({"host": "api.example", "schema": "http", "port": 81}, "http://api.example:81"),
        ({"host": "https://api.example/v2", "port": 8443}, "https://api.example:8443/v2"),
    ],
)
def test_the_address_is_put_together(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], address: str):
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps({"conn_type": "http"} | fields))
    assert api("shop")[0] == address


def test_credentials_are_taken_and_not_shown(monkeypatch: pytest.MonkeyPatch):
    fields = {
        "conn_type": "http",
        "host": "h",
        "login": "me",
        "password": "s3cret",
        "extra": {"tenant": "acm3", "n": 1},
    }
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(fields))
    credentials = api("shop")[1]
    assert (credentials.login, credentials.password) == ("me", "s3cret")
    assert credentials.extra == {"tenant": "acm3", "n": "1"}
    assert "s3cret" not in repr(credentials)
    assert "acm3" not in repr(credentials)


def test_a_connection_without_a_host_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps({"conn_type": "http"}))
    with pytest.raises(BadConnectionError, match="'shop' has no host"):
        api("shop")
