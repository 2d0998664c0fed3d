"""The demo systems, really running: a Postgres with the database, a process of the API."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from local import postgres
from local.demo import dataset, retail_db
from local.net import free_ports
from tests.integration.demo.marketing_server import PLENTY, log_in, serving

ROOT = Path(__file__).parents[3]


class Retail:
    """Demo databases on one server, and the commands that work on them.

    `anchor` and `now` are of the seeded ones; `weeks` is the shift from the files to them.
    """

    anchor = date(2020, 1, 1)
    now = datetime(2020, 1, 1, 12, tzinfo=UTC)
    weeks = 117

    def __init__(self, server: postgres.Server) -> None:
        self.server = server
        self._numbers = count()
        with server.connect() as admin:
            admin.execute("create role retail_app login password 'app'")
            admin.execute("create role retail_reader login password 'reader'")

    def create(self, template: str = "template1") -> str:
        """Create an empty database, or a copy of another; return its name."""
        name = f"retail_{next(self._numbers)}"
        with self.server.connect() as admin:
            admin.execute(f"create database {name} owner retail_app template {template}")
        return name

    def owner(self, name: str) -> psycopg.Connection[Any]:
        """Connect as the owner."""
        return self.server.connect(name, "retail_app", "app")

    def reader(self, name: str) -> psycopg.Connection[Any]:
        """Connect as the pipeline does."""
        return self.server.connect(name, "retail_reader", "reader")

    def run(self, name: str, action: str, **environment: str) -> subprocess.Popen[str]:
        """Start `python -m local.demo.retail_db`."""
        own = {
            "DEMO_RETAIL_DB_URI": self.server.uri(name, "retail_app", "app"),
            "DATASTACK_DEMO_ANCHOR": str(self.anchor),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "local.demo.retail_db", action],
            cwd=ROOT,
            env=os.environ | own | environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def seed(self, name: str) -> None:
        """Seed a database as of `now`."""
        with self.owner(name) as connection:
            retail_db.seed(connection, self.anchor, self.now)

    def one(self, connection: psycopg.Connection[Any], query: str) -> Any:
        """Return the only row, or its only value."""
        row = connection.execute(query).fetchone()
        return row if row is None or len(row) > 1 else row[0]

    def checksums(self, connection: psycopg.Connection[Any]) -> dict[str, Any]:
        """Return rows and a sum over all values, by table."""
        tables = ("public.households", "public.products", "public.transactions", "backlog.transactions")
        sums = "select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) from {} as t"
        return {table: self.one(connection, sums.format(table)) for table in tables}

    def bought_by(self, source: pa.Table, now: datetime) -> int:
        """Count the rows of the file that are released at a time."""
        limit = pa.scalar((now - timedelta(weeks=self.weeks)).replace(tzinfo=None), pa.timestamp("ns"))
        return pc.sum(pc.less_equal(source["transaction_timestamp"], limit)).as_py()


@pytest.fixture(scope="session")
def retail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retail]:
    """Start a Postgres of our own."""
    folder = tmp_path_factory.mktemp("retail")
    with postgres.Server(folder / "pg", free_ports(1)[0], "admin") as server:
        yield Retail(server)


@pytest.fixture(scope="session")
def half_seeded(retail: Retail) -> str:
    """Seed a database that has three months to come. Not to be changed."""
    name = retail.create()
    retail.seed(name)
    return name


@pytest.fixture
def database(retail: Retail, half_seeded: str) -> str:
    """Copy the half-seeded database, to be changed."""
    return retail.create(template=half_seeded)


@pytest.fixture(scope="session")
def source() -> pa.Table:
    """Read transactions as the file has them."""
    return pq.ParquetFile(dataset.parquet_path("transactions")).read()


@pytest.fixture(scope="session")
def faulty() -> Iterator[httpx.Client]:
    """Serve the whole year, without a limit, ready for faults; logged in."""
    with serving(DEMO_FAULTS="1", **PLENTY) as client:
        yield log_in(client)


@pytest.fixture
def api(faulty: httpx.Client) -> Iterator[httpx.Client]:
    """Give the server without a fault in its queue."""
    faulty.delete("/_faults").raise_for_status()
    yield faulty
    faulty.delete("/_faults").raise_for_status()
