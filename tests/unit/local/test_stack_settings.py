"""Ports, state folder, secrets, anchor: what a stack is made from, and what is said when it is wrong."""

import os
import stat
from datetime import date
from pathlib import Path

import pytest

from local import airflow_env, checks, secrets_store
from local.net import free_ports, is_free
from local.postgres import Server
from local.settings import PORTS_FILE, Settings, SettingsError
from local.stack import Stack


def settings(state: Path, **ports: int) -> Settings:
    own = {f"DATASTACK_{name}_PORT": str(port) for name, port in ports.items()}
    return Settings.load({"DATASTACK_STATE": str(state), **own})


def test_ports_come_from_the_file_and_the_environment_wins(tmp_path):
    assert settings(tmp_path).port("UI") == 8080
    assert settings(tmp_path, UI=9090).port("UI") == 9090
    assert settings(tmp_path, UI=9090).ui_url == "http://localhost:9090"
    assert "DATASTACK_UI_PORT=8080" in PORTS_FILE.read_text()


@pytest.mark.parametrize("text", ["http", "80", "70000", "-1"])
def test_a_wrong_port_is_named(tmp_path, text):
    with pytest.raises(SettingsError, match=rf"DATASTACK_UI_PORT is '{text}': set a port between 1024 and 65535"):
        Settings.load({"DATASTACK_STATE": str(tmp_path), "DATASTACK_UI_PORT": text})


def test_two_uses_of_one_port_are_named(tmp_path):
    with pytest.raises(SettingsError, match="DATASTACK_UI_PORT and DATASTACK_POSTGRES_PORT are both 9090"):
        settings(tmp_path, UI=9090, POSTGRES=9090)


def test_a_busy_port_is_named_with_its_variable_and_file(tmp_path):
    import socket

    ports = free_ports(11)
    names = [line.partition("=")[0] for line in PORTS_FILE.read_text().splitlines() if "_PORT=" in line]
    mine = Settings.load({"DATASTACK_STATE": str(tmp_path)} | dict(zip(names, map(str, ports), strict=True)))
    checks.check_ports(mine)
    with socket.create_server(("127.0.0.1", mine.port("S3"))):
        assert not is_free(mine.port("S3"))
        with pytest.raises(checks.CheckError) as caught:
            checks.check_ports(mine)
    message = str(caught.value)
    assert f"Port {mine.port('S3')}" in message
    assert "DATASTACK_S3_PORT=" in message
    assert "local/ports.env" in message
    assert "\n" not in message


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**10, 10**10, 10**8))
    with pytest.raises(checks.CheckError, match=r"Only 0\.1 GB are free .*make room, or set DATASTACK_STATE"):
        checks.check_disk(settings(tmp_path / "not" / "there"))


def test_secrets_are_made_once_and_closed(tmp_path):
    path = tmp_path / "secrets.env"
    first = secrets_store.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secrets_store.load_or_create(path) == first
    assert len(set(first.values())) == len(first)
    assert len(bytes.fromhex(first["PRIVACY_KEY"])) == 32


def test_a_secret_that_is_new_joins_the_old_ones(tmp_path):
    path = tmp_path / "secrets.env"
    path.write_text("PG_AIRFLOW_PASSWORD=kept\n")
    path.chmod(0o644)
    known = secrets_store.load_or_create(path)
    assert known["PG_AIRFLOW_PASSWORD"] == "kept"
    assert known.keys() == secrets_store.generate().keys()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_anchor_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("DATASTACK_DEMO_ANCHOR", "2025-06-01")
    assert Stack(settings(tmp_path)).anchor == date(2025, 6, 1)
    monkeypatch.delenv("DATASTACK_DEMO_ANCHOR")
    assert Stack(settings(tmp_path)).anchor == date(2025, 6, 1)
    monkeypatch.setenv("DATASTACK_DEMO_ANCHOR", "2025-07-01")
    with pytest.raises(SettingsError, match=r"2025-07-01, but the data .* were made for 2025-06-01"):
        _ = Stack(settings(tmp_path)).anchor


def test_processes_get_only_the_secrets_they_use(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    stack = Stack(settings(tmp_path))
    values = {name: " ".join(stack.env_of(name).values()) for name in ("postgres", "s3", "replayer", "scheduler")}
    assert not any(secret in values["postgres"] + values["s3"] for secret in stack.secrets.values())
    assert stack.secrets["PG_LOADER_PASSWORD"] not in values["replayer"]
    assert stack.secrets["PG_LOADER_PASSWORD"] in values["scheduler"]
    assert stack.secrets["PG_POSTGRES_PASSWORD"] not in values["scheduler"]
    assert "PYTHONDONTWRITEBYTECODE" not in stack.env_of("scheduler")


def test_lineage_goes_to_the_file_and_on_request_to_a_backend_that_may_be_dead(tmp_path, monkeypatch):
    import json

    def transports() -> dict[str, dict[str, object]]:
        env = airflow_env.airflow_env(settings(tmp_path), secrets_store.generate())
        return json.loads(env["AIRFLOW__OPENLINEAGE__TRANSPORT"])["transports"]

    monkeypatch.delenv("OPENLINEAGE_URL", raising=False)
    assert transports().keys() == {"file"}
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:9")
    http = transports()["http"]
    assert http["timeout"] * 2 < 2, "a task sends two events, and may lose two seconds by them"
    assert http["retry"]["total"] == 0


def test_state_is_closed_to_others(tmp_path):
    mine = settings(tmp_path / "state")
    mine.make_folders()
    # Root's Postgres runs as another user, who may pass through the folder but not list it.
    assert stat.S_IMODE(mine.state.stat().st_mode) == (0o711 if os.geteuid() == 0 else 0o700)
    assert stat.S_IMODE(mine.log.parent.stat().st_mode) == 0o700


def test_a_password_with_any_character_fits_into_a_uri(tmp_path):
    assert Server(tmp_path / "pg", 1234, "a/b c%").uri("x") == "postgresql://postgres:a%2Fb%20c%25@127.0.0.1:1234/x"
