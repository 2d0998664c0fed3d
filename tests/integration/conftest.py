"""Real servers for the session; a clean warehouse, lake and shop for each test that asks for ``stack``."""

import os
from collections.abc import Iterator

import pytest

from local import airflow_env, bootstrap, object_store, postgres, secrets_store
from local.net import free_ports
from local.settings import Settings
from tests.integration.demo.marketing_server import CLIENT, PLENTY, SECRET, log_in, serving
from tests.integration.harness import Servers, Stack
from tests.integration.stub_api import StubApi, stub


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start two databases, an object store and the API."""
    folder = tmp_path_factory.mktemp("servers")
    os.environ.setdefault("AIRFLOW_HOME", str(folder / "airflow"))
    secrets = secrets_store.generate() | {"MARKETING_API_CLIENT_ID": CLIENT, "MARKETING_API_CLIENT_SECRET": SECRET}
    ports = free_ports(2)
    source, warehouse = (
        postgres.Server(folder / name, port, secrets["PG_POSTGRES_PASSWORD"])
        for name, port in zip(("source", "warehouse"), ports, strict=True)
    )
    lake = object_store.Server(folder / "s3", bootstrap.s3_identities(secrets))
    try:
        for server in (source, warehouse):
            bootstrap.create_databases(server.start(), secrets)
        bootstrap.prepare_warehouse(warehouse, secrets)
        bootstrap.create_buckets(lake.start())
        with source.connect("retail_db", "retail_app", secrets["PG_RETAIL_APP_PASSWORD"]) as db:
            for script in ("create", "finish"):
                db.execute((airflow_env.REPO / "local" / "demo" / "sql" / f"{script}.sql").read_text())
        with serving(DEMO_FAULTS="1", **PLENTY) as api:
            own = {"POSTGRES": warehouse.port, "S3": lake.ports.s3, "MARKETING_API": api.base_url.port or 0}
            settings = Settings(folder, {f"DATASTACK_{name}_PORT": port for name, port in own.items()})
            connections = airflow_env.connections(settings, secrets)
            connections["retail_db"]["port"] = source.port
            yield Servers(source, warehouse, lake, log_in(api), secrets, connections)
    finally:
        for server in (source, warehouse, lake):
            server.stop()


@pytest.fixture
def stack(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Give the servers, healed and clean."""
    servers.heal()
    servers.clean()
    return Stack(servers, monkeypatch)


@pytest.fixture
def stub_api(stack: Stack) -> Iterator[StubApi]:
    """Put a server with the test's own records in the place of the API."""
    with stub() as api:
        stack.connect("marketing_api", host=api.url)
        yield api
