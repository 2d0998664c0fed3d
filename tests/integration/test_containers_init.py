"""The one-shot services and the replayer's health check of docker-compose.yaml, against real servers."""

import json
import stat
from pathlib import Path

from local import airflow_env, containers
from local.net import HOST
from local.settings import Settings
from tests.integration.harness import Servers

LATE = """
    insert into backlog.transactions
    values (1, 1, 1, %s, 1, 1, 0, 0, 0, 1, now() - make_interval(mins => %s))"""


def test_init_prepares_servers_and_may_run_again(servers: Servers, tmp_path: Path) -> None:
    servers.heal()
    ports = {"DATASTACK_POSTGRES_PORT": servers.warehouse.port, "DATASTACK_S3_PORT": servers.lake.ports.s3}
    variables = {name: str(port) for name, port in ports.items()}
    settings = Settings.load({"DATASTACK_STATE": str(tmp_path / "state"), **variables})
    environment = {**servers.secrets, "DATASTACK_POSTGRES_HOST": HOST, "DATASTACK_S3_HOST": HOST}
    for _ in range(2):
        containers.init(settings, environment)
    named = airflow_env.airflow_env(settings, servers.secrets)["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]
    assert json.loads(Path(named).read_text()) == {"admin": servers.secrets["UI_ADMIN_PASSWORD"]}
    assert stat.S_IMODE(Path(named).stat().st_mode) == 0o600
    with servers.warehouse.connect("warehouse", "loader", servers.secrets["PG_LOADER_PASSWORD"]) as connection:
        assert connection.execute("select count(*) >= 0 from ops.loads").fetchone() == (True,)
    assert "lake" in {bucket["Name"] for bucket in servers.lake.client().list_buckets()["Buckets"]}


def test_overdue_purchases_are_counted(servers: Servers) -> None:
    servers.heal()
    login = ("retail_db", "retail_app", servers.secrets["PG_RETAIL_APP_PASSWORD"])
    environment = {"DEMO_RETAIL_DB_URI": servers.source.uri(*login)}
    with servers.source.connect(*login) as connection:
        try:
            connection.execute(LATE, (1, 1))
            assert containers.overdue(environment) == 0
            connection.execute(LATE, (2, 10))
            assert containers.overdue(environment) == 1
        finally:
            connection.execute("delete from backlog.transactions")
