"""A stack from nothing, beside whatever else runs: started, reused, hurt, stopped, deleted."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from local import postgres
from local.net import free_ports, is_free, wait_until
from local.run_file import RunFile, family
from local.settings import PORTS_FILE, Settings
from local.stack import Stack

ROOT = Path(__file__).parents[2]
PROCESSES = {
    "postgres",
    "s3",
    "marketing_api",
    "replayer",
    "partner",
    "api-server",
    "scheduler",
    "dag-processor",
    "triggerer",
}


@dataclass
class Embedded:
    """A stack in a folder of its own, on ports of its own."""

    environment: dict[str, str]

    @property
    def settings(self) -> Settings:
        return Settings.load(self.environment)

    @property
    def notes(self) -> RunFile:
        return RunFile(self.settings.state)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "local", *command],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def up(self) -> str:
        done = self.run("up", "--no-load")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """Start a stack without data in its warehouse."""
    names = [line.partition("=")[0] for line in PORTS_FILE.read_text().splitlines() if "_PORT=" in line]
    ports = dict(zip(names, map(str, free_ports(len(names))), strict=True))
    state = tmp_path_factory.mktemp("embedded") / "state"
    stack = Embedded(os.environ | ports | {"DATASTACK_STATE": str(state), "DATASTACK_DEMO_ANCHOR": "2025-06-01"})
    try:
        stack.output = stack.up()
        yield stack
    finally:
        stack.run("down")


def test_all_processes_run_and_are_healthy(embedded):
    wait_until(lambda: embedded.run("status").returncode == 0, 60, "some process is not healthy", interval=1)
    report = embedded.run("status").stdout
    assert all(name in report for name in PROCESSES)
    assert "total" in report


def test_everything_listens_on_loopback_only(embedded):
    processes = [member for leader in embedded.notes.processes().values() for member in family(leader.pid)]
    listening = [
        connection.laddr
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert {address.port for address in listening} == set(embedded.settings.ports.values())


def test_secrets_are_closed_and_not_told(embedded):
    path = embedded.settings.state / "secrets.env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((embedded.settings.airflow_home / "ui_passwords.json").stat().st_mode) == 0o600
    told = embedded.output + embedded.settings.log.read_text(errors="replace") + embedded.run("status").stdout
    secrets = Stack(embedded.settings).secrets
    hidden = {name for name in secrets if not name.endswith(("_CLIENT_ID", "_ACCESS_KEY"))}
    assert not [name for name in hidden if secrets[name] in told]


def test_no_server_lets_strangers_in(embedded):
    settings = embedded.settings
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://postgres:wrong@127.0.0.1:{settings.port('POSTGRES')}/postgres")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        Stack(settings).postgres.connect("warehouse", "retail_reader", _password(embedded, "RETAIL_READER"))
    answers = {
        "S3": 403,
        "S3_FILER": 401,
        "S3_VOLUME": 401,
    }
    for name, expected in answers.items():
        assert httpx.get(f"http://127.0.0.1:{settings.port(name)}/lake/").status_code == expected, name
    assert httpx.get(f"http://127.0.0.1:{settings.port('UI')}/api/v2/dags").status_code == 401


def _password(embedded: Embedded, role: str) -> str:
    return Stack(embedded.settings).secrets[f"PG_{role}_PASSWORD"]


def test_analysts_see_marts_and_nothing_else(embedded):
    with Stack(embedded.settings).postgres.connect("warehouse", "analyst", _password(embedded, "ANALYST")) as db:
        (schemas,) = db.execute(
            "select array_agg(nspname::text order by nspname) from pg_namespace "
            "where has_schema_privilege(oid, 'usage') and nspname !~ '^(pg_|information_schema|public)'"
        ).fetchone()
    assert schemas == ["marts"]


def test_a_second_up_reuses_what_runs(embedded):
    before = {name: process.pid for name, process in embedded.notes.processes().items()}
    supervisor = embedded.notes.supervisor().pid
    embedded.up()
    assert embedded.notes.supervisor().pid == supervisor
    assert {name: process.pid for name, process in embedded.notes.processes().items()} == before


@pytest.mark.parametrize("name", ["replayer", "scheduler"])
def test_a_process_that_is_killed_is_started_again_and_the_others_go_on(embedded, name):
    before = {process: noted.pid for process, noted in embedded.notes.processes().items()}
    orphans = [member for member in family(before[name]) if member.pid != before[name]]
    os.kill(before[name], signal.SIGKILL)

    def again() -> bool:
        process = embedded.notes.processes().get(name)
        return process is not None and process.pid != before[name]

    wait_until(again, 20, f"the {name} is not started again")
    after = {process: noted.pid for process, noted in embedded.notes.processes().items()}
    assert {process for process in PROCESSES if before[process] != after[process]} == {name}
    assert not [orphan for orphan in orphans if orphan.is_running() and orphan.status() != psutil.STATUS_ZOMBIE]


def test_a_busy_port_is_one_line_and_nothing_is_started(embedded, tmp_path):
    done = embedded.run("up", "--no-load", DATASTACK_STATE=str(tmp_path / "other"))
    assert done.returncode == 1
    (line,) = [line for line in (done.stdout + done.stderr).splitlines() if "Port" in line]
    assert f"Port {embedded.settings.port('UI')} is in use" in line
    assert "DATASTACK_UI_PORT" in line
    assert "local/ports.env" in line
    assert RunFile(tmp_path / "other").supervisor() is None
    assert embedded.notes.supervisor() is not None


def test_down_stops_its_own_and_nothing_else(embedded, tmp_path):
    mine = [member for leader in embedded.notes.processes().values() for member in family(leader.pid)]
    bystander = subprocess.Popen(["sleep", "300"], start_new_session=True)
    try:
        with postgres.Server(tmp_path / "other", free_ports(1)[0], "other") as other:
            done = embedded.run("down")
            assert done.returncode == 0
            assert "stopped" in done.stdout
            assert bystander.poll() is None
            assert other.is_ready()
        assert not [process for process in mine if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
        assert all(is_free(port) for port in embedded.settings.ports.values())
        assert "No stack was running" in embedded.run("down").stdout
        assert (embedded.settings.state / "secrets.env").exists()
    finally:
        bystander.kill()
        bystander.wait()


def test_up_after_down_keeps_data_and_secrets(embedded):
    secrets = dict(Stack(embedded.settings).secrets)
    began = time.monotonic()
    embedded.up()
    assert Stack(embedded.settings).secrets == secrets
    with Stack(embedded.settings).postgres.connect("retail_db") as db:
        assert db.execute("select count(*) from transactions").fetchone() == (1_469_307,)
    assert time.monotonic() - began < 120


def test_a_killed_supervisor_leaves_nothing_that_down_would_miss(embedded):
    mine = [member for leader in embedded.notes.processes().values() for member in family(leader.pid)]
    embedded.notes.supervisor().kill()
    wait_until(lambda: embedded.notes.supervisor() is None, 10, "the supervisor lives on")
    assert embedded.run("down").returncode == 0
    _, alive = psutil.wait_procs(mine, timeout=20)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    wait_until(lambda: all(is_free(port) for port in embedded.settings.ports.values()), 20, "a port is still held")


def test_clean_deletes_the_state_and_only_a_stacks_state(embedded, tmp_path):
    (tmp_path / "precious").write_text("x")
    refused = embedded.run("clean", DATASTACK_STATE=str(tmp_path))
    assert refused.returncode == 1
    assert "does not look like a stack's state" in refused.stderr
    assert (tmp_path / "precious").exists()
    assert embedded.run("clean").returncode == 0
    assert not embedded.settings.state.exists()
