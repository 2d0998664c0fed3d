"""Real servers, and the operators run on them as tasks run them."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import psycopg
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from datastack.contract.slice import Slice
from local import object_store, postgres

ROOT = Path(__file__).parents[2]
SMALL_RETAIL = (Path(__file__).parent / "small_retail.sql").read_text()
TRANSACTIONS = "raw_retail_db.transactions"

Window = tuple[str, str]


def days(first: int, last: int | None = None) -> Window:
    """Window of some days of November 2019, the last one included."""
    return f"2019-11-{first:02d}T00:00:00Z", f"2019-11-{(last or first) + 1:02d}T00:00:00Z"


@dataclass(frozen=True)
class Servers:
    """What runs for the whole session."""

    source: postgres.Server
    warehouse: postgres.Server
    lake: object_store.Server
    api: httpx.Client
    secrets: dict[str, str]
    connections: dict[str, dict[str, Any]]

    def heal(self) -> None:
        """Start what a test left stopped."""
        for server in (self.source, self.warehouse, self.lake):
            if server.pid is None:
                server.start()

    def clean(self) -> None:
        """Empty the warehouse, the lake and the API's faults; fill the shop anew."""
        with self.warehouse.connect("warehouse") as db:
            ours = "('staging', 'intermediate', 'build_retail', 'kept_retail', 'marts')"
            made = f"schemaname like 'raw_%' or schemaname in {ours}"
            for (table,) in db.execute(f"select schemaname || '.' || tablename from pg_tables where {made}").fetchall():
                db.execute(f"drop table {table} cascade")
            ledger = db.execute("select 'ops.' || tablename from pg_tables where schemaname = 'ops'").fetchall()
            db.execute(f"truncate {', '.join(table for (table,) in ledger)} restart identity")
        with self.source.connect("retail_db") as db:
            db.execute(SMALL_RETAIL)
        for key in self.objects():
            self.delete(key)
        self.api.delete("/_faults").raise_for_status()

    def objects(self, prefix: str = "") -> list[str]:
        """Keys of the objects in both of the lake's buckets, without the empty folders that deleting leaves."""
        pages = self.lake.client().get_paginator("list_objects_v2")
        found = [page for bucket in ("lake", "landing") for page in pages.paginate(Bucket=bucket, Prefix=prefix)]
        keys = [item["Key"] for page in found for item in page.get("Contents", ())]
        return [key for key in keys if not key.endswith("/")]

    def get(self, key: str) -> bytes:
        """Read an object of the lake, as its administrator."""
        return self.lake.client().get_object(Bucket=bucket_of(key), Key=key)["Body"].read()

    def put(self, key: str, content: bytes) -> None:
        """Write an object of the lake."""
        self.lake.client().put_object(Bucket=bucket_of(key), Key=key, Body=content)

    def delete(self, key: str) -> None:
        """Delete an object of the lake."""
        self.lake.client().delete_object(Bucket=bucket_of(key), Key=key)


def bucket_of(key: str) -> str:
    """Name of the bucket that an object of the lake stands in."""
    return "landing" if key.startswith(("landing/", "quarantine/", "checkpoints/")) else "lake"


class Stack:
    """The servers as one test uses them.

    :param patch: undoes the test's changes to connections.
    """

    def __init__(self, servers: Servers, patch: pytest.MonkeyPatch) -> None:
        self.servers, self._patch = servers, patch
        self.source, self.warehouse, self.lake = servers.source, servers.warehouse, servers.lake
        for conn_id in servers.connections:
            self.connect(conn_id)

    def connect(self, conn_id: str, **changes: Any) -> None:
        """Set an Airflow connection, with some of its fields changed; changes of ``extra`` are merged into it."""
        fields = dict(self.servers.connections[conn_id])
        if "extra" in changes:
            changes["extra"] = fields["extra"] | changes["extra"]
        self._patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields | changes))

    # Operators

    def extract(self, source: str, stream: str, window: Window) -> str:
        """Run extract; return the manifest's key."""
        from datastack.operators.extract_api import ExtractApiOperator
        from datastack.operators.extract_database import ExtractDatabaseOperator

        kind = ExtractDatabaseOperator if source == "retail_db" else ExtractApiOperator
        return self.run(kind(task_id=f"{stream}.extract", source=source, stream=stream), window)

    def conform(self, stream: str, manifest_key: str) -> str:
        """Run conform on a landed slice of the API; return the manifest's key."""
        from datastack.operators.conform import ConformOperator

        names = {"source": "marketing_api", "stream": stream}
        return self.run(ConformOperator(task_id=f"{stream}.conform", manifest_key=manifest_key, **names))

    def copy(self, source: str, stream: str, manifest_key: str) -> dict[str, Any]:
        """Run copy; return what it returns."""
        from datastack.operators.copy import CopyOperator

        names = {"source": source, "stream": stream}
        return self.run(CopyOperator(task_id=f"{stream}.copy", manifest_key=manifest_key, **names))

    def move(self, source: str, stream: str, window: Window) -> dict[str, Any]:
        """Run move; return what it returns."""
        from datastack.operators.move import MoveDatabaseOperator

        return self.run(MoveDatabaseOperator(task_id=f"{stream}.move", source=source, stream=stream), window)

    def scheduled(self, source: str, stream: str, window: Window) -> dict[str, Any]:
        """Run move as a schedule does: the window is the run's interval, nobody gave it; return what it returns."""
        from datastack.operators.move import MoveDatabaseOperator

        interval = Slice.parse(*window)
        context = {
            "params": {},
            "dag_run": SimpleNamespace(data_interval_start=interval.start, data_interval_end=interval.end),
            "ti": SimpleNamespace(dag_id="ingest_test", run_id=f"scheduled {interval}", try_number=1),
        }
        return MoveDatabaseOperator(task_id=f"{stream}.move", source=source, stream=stream).execute(context)

    def gate(self, source: str, stream: str) -> dict[str, int]:
        """Run the gate on a raw table; return checks by outcome."""
        from datastack.operators.gate import GateStreamOperator

        return self.run(GateStreamOperator(task_id=f"{stream}.gate", source=source, stream=stream))

    def prepare(self, source: str, stream: str, window: Window) -> str:
        """Bring a slice to the conformed zone; return the manifest's key."""
        key = self.extract(source, stream, window)
        return key if source == "retail_db" else self.conform(stream, key)

    def load(self, source: str, stream: str, window: Window) -> dict[str, Any]:
        """Bring a slice from its source to its raw table."""
        return self.copy(source, stream, self.prepare(source, stream, window))

    def run(self, operator: Any, window: Window | None = None, **params: Any) -> Any:
        """Execute an operator with a task's context."""
        start, end = window or (None, None)
        context = {
            "params": {"window_start": start, "window_end": end} | params,
            "dag_run": SimpleNamespace(data_interval_start=None, data_interval_end=None, run_after=None),
            "ti": SimpleNamespace(dag_id="ingest_test", run_id="test", try_number=1),
        }
        return operator.execute(context)

    # What is there

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the warehouse, as its administrator."""
        with self.warehouse.connect("warehouse") as db:
            return db.execute(query, values or None).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        """Return the only value of the only row."""
        [(value,)] = self.rows(query, *values)
        return value

    def table(self, table: str) -> list[tuple[Any, ...]]:
        """Rows of a table in order, without our own columns."""
        columns = f"""
            select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
            where attrelid = '{table}'::regclass and attnum > 0 and attname not like '\\_%'
        """
        return self.rows(f"select t.* from (select {self.one(columns)} from {table}) as t order by t")

    def checksum(self, table: str) -> str:
        """Checksum of a table's rows, without our own columns."""
        rows = self.table(table)
        return f"{len(rows)} rows, {hashlib.sha256(repr(rows).encode()).hexdigest()}"

    def state(self) -> dict[str, str]:
        """Checksum of every table of the warehouse, our own columns and the ledger included."""
        schemas = "schemaname like 'raw_%' or schemaname in ('ops', 'marts', 'build_retail')"
        tables = self.rows(f"select schemaname || '.' || tablename from pg_tables where {schemas}")
        sums = "select count(*) || ' rows, ' || coalesce(md5(string_agg(t::text, ',' order by t::text)), '') from {} t"
        return {table: self.one(sums.format(table)) for (table,) in tables}

    def loads(self, stream: str) -> list[dict[str, Any]]:
        """Return the ledger's rows of a stream, oldest first."""
        with self.warehouse.connect("warehouse") as db:
            cursor = db.cursor(row_factory=psycopg.rows.dict_row)
            return cursor.execute("select * from ops.loads where stream = %s order by load_id", (stream,)).fetchall()

    def objects(self, prefix: str = "") -> list[str]:
        """Keys of the lake's objects."""
        return self.servers.objects(prefix)

    def get(self, key: str) -> bytes:
        """Read an object of the lake."""
        return self.servers.get(key)

    def put(self, key: str, content: bytes) -> None:
        """Write an object of the lake."""
        self.servers.put(key, content)

    def delete(self, key: str) -> None:
        """Delete an object of the lake."""
        self.servers.delete(key)

    def manifests(self, prefix: str = "") -> list[str]:
        """Keys of the lake's manifests: what exists for readers."""
        return [key for key in self.objects(prefix) if key.endswith("_manifest.json")]

    # The source

    def shop(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Change or ask the operational database, as its owner would."""
        with self.source.connect("retail_db") as db:
            cursor = db.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def bought(self, window: Window) -> list[tuple[Any, ...]]:
        """Purchases of a window as the raw table must have them, in order."""
        query = "select * from transactions where transaction_at >= %s and transaction_at < %s"
        return sorted((self.pseudonym(row[0]), *row[1:]) for row in self.shop(query, *window))

    def pseudonym(self, identity: object) -> str:
        """Keyed hash of an identity, computed apart from the engine."""
        key = bytes.fromhex(self.servers.secrets["PRIVACY_KEY"])
        return hmac.new(key, str(identity).encode(), "sha256").hexdigest()[:32]

    def order_fault(self, path: str, kind: str, **more: Any) -> None:
        """Let the API fail on request."""
        self.servers.api.post("/_faults", json={"path": path, "kind": kind, **more}).raise_for_status()

    # Moments in a copy

    @contextmanager
    def ledger_locked(self) -> Iterator[None]:
        """Hold the ledger, so that a copy stops between its COPY and its commit."""
        with closing(self.warehouse.connect("warehouse")) as db:
            db.execute("begin")
            db.execute("lock table ops.loads in exclusive mode")
            yield

    def wait_for_copy(self) -> None:
        """Wait until a copy has done its work and wants to write the ledger."""
        waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query ~* 'into ops.loads'"
        wait_for(lambda: self.one(waiting) == 1)


@contextmanager
def stopped(server: postgres.Server | object_store.Server) -> Iterator[None]:
    """Stop a server, and start it again."""
    server.stop()
    try:
        yield
    finally:
        server.start()
        if isinstance(server, object_store.Server):
            wait_for(lambda: serves_objects(server))


def serves_objects(lake: object_store.Server) -> bool:
    """Whether what the lake holds can be read: its gateway answers before the volumes behind it do."""
    client = lake.client()
    try:
        for bucket in ("lake", "landing"):
            for item in client.list_objects_v2(Bucket=bucket).get("Contents", ()):
                client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
    except (BotoCoreError, ClientError):
        return False
    return True


def in_thread(work: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    """Start work in a thread; the function returned waits for it and gives its result, or raises its error."""
    outcome: list[Any] = []

    def target() -> None:
        try:
            outcome.append(work(*arguments))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=target)
    thread.start()

    def finish() -> Any:
        thread.join(60)
        assert outcome, "the work did not end within a minute"
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    return finish


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until it holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
