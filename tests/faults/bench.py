"""A worker, proxies before the servers that it talks to, and questions to the warehouse."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from datastack.contract.registry import include_dir
from tests.faults.fault import Fault, Kind
from tests.faults.plan import Profile
from tests.faults.proxy import HOST, Proxy, Reader
from tests.faults.wire import HttpReader, PostgresReader
from tests.faults.worker import Ended, Task, Worker
from tests.integration.harness import Stack

PATIENCE = 0.2  # seconds that a task may hang before it is stopped, as Airflow's time limit would
LEDGER = """
    select slice_start, slice_end, write_disposition, source_rows, lake_rows, loaded_rows, quarantined_rows
    from ops.loads where source = %s and stream = %s order by load_id
"""


_SERVERS = {"lake": HttpReader, "api": HttpReader, "partner": HttpReader}  # others speak Postgres's protocol


class Bench:
    """One worker at a time. Use as a context manager.

    :param more: other servers by name, with port and reader; ``connections`` names the server that a connection leads
        to, and gives its fields for the server's port.
    """

    def __init__(self, stack: Stack, **more: tuple[int, type[Reader]]) -> None:
        self.stack = stack
        self.connections: dict[str, tuple[str, Callable[[int], dict[str, Any]]]] = {}
        self._folder = TemporaryDirectory(prefix="faults-")
        self._log = Path(self._folder.name, "log")
        self._worker = Worker(self._log)
        ports = {
            "lake": stack.lake.ports.s3,
            "source": stack.source.port,
            "warehouse": stack.warehouse.port,
            "api": stack.servers.api.base_url.port or 0,
            "partner": stack.lake.ports.s3,
        }
        servers = {name: (port, _SERVERS.get(name, PostgresReader)) for name, port in ports.items()} | more
        self._proxies = {name: Proxy(name, port, reader, self._worker.kill) for name, (port, reader) in servers.items()}

    def __enter__(self) -> Self:
        self._open = ExitStack()
        self._open.enter_context(self._folder)
        for proxy in self._proxies.values():
            self._open.enter_context(proxy)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def environment(self) -> dict[str, str]:
        """Airflow's connections, by way of the proxies."""
        found = dict(self.stack.servers.connections)
        ports = {name: proxy.port for name, proxy in self._proxies.items()}
        found["retail_db"] = found["retail_db"] | {"port": ports["source"]}
        found["warehouse_loader"] = found["warehouse_loader"] | {"port": ports["warehouse"]}
        found["marketing_api"] = found["marketing_api"] | {"host": f"http://{HOST}:{ports['api']}"}
        for name, server in (("lake", "lake"), ("landing", "lake"), ("partner_drops", "partner")):
            endpoint = {"endpoint_url": f"http://{HOST}:{ports[server]}"}
            found[name] = found[name] | {"extra": found[name]["extra"] | endpoint}
        found |= {name: fields(ports[server]) for name, (server, fields) in self.connections.items()}
        given = {f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in found.items()}
        return given | {"DATASTACK_INCLUDE": str(include_dir())}

    def run(self, task: Task, try_number: int = 1, fault: Fault | None = None) -> tuple[Ended, Profile]:
        """Run a try of a task under a fault; return how it ended, and what it said to which servers."""
        if fault:
            self._arm(self._proxies[fault.server], fault)
        self._worker.start(task, try_number)
        while not self._worker.has_ended(0.05):
            if any(proxy.stalled.is_set() for proxy in self._proxies.values()) and not self._worker.has_ended(PATIENCE):
                self._worker.kill()
                break
        ended = self._worker.finish()
        profile = {name: events for name, proxy in self._proxies.items() if (events := proxy.disarm())}
        if fault and fault.kind is Kind.REFUSE:
            self._proxies[fault.server].accept()
            fault.fired = int(ended.failed and fault.server not in profile)
        self._no_secret(ended)
        return ended, profile

    @contextmanager
    def holding(self, fault: Fault, task: Task) -> Iterator[Callable[[], None]]:
        """Run a task that dies by a fault of kind LATE; the function given lets its last words pass."""
        proxy = self._proxies[fault.server]
        proxy.arm(fault)
        self._worker.start(task, 1)
        assert self._worker.finish().killed
        assert proxy.stalled.wait(10)
        yield proxy.release
        for each in self._proxies.values():
            each.disarm()

    def _arm(self, proxy: Proxy, fault: Fault) -> None:
        if fault.kind is Kind.REFUSE:
            proxy.refuse()
        else:
            proxy.arm(fault)

    def _no_secret(self, ended: Ended) -> None:
        said = self._log.read_text(errors="replace") if self._log.exists() else ""
        self._log.unlink(missing_ok=True)
        shown = [name for name, value in self.stack.servers.secrets.items() if value in f"{ended.details} {said}"]
        assert not shown, f"the error or the log shows {shown}: {ended.error}"

    def rows(self, table: str, varies: tuple[str, ...] = (), which: str = "true") -> tuple[Counter[int], int]:
        """Return hashes of a raw table's rows, and its loads in the ledger: one snapshot.

        Of our own columns, only whether a row is deleted counts.

        :param varies: columns left out, as they differ from run to run.
        :param which: SQL that holds for the rows that count.
        """
        loads = f"select count(*) from ops.loads where 'raw_' || source || '.' || stream = '{table}'"
        if self.stack.one(f"select to_regclass('{table}') is null"):
            return Counter(), self.stack.one(loads)
        columns = self.stack.one(
            "select string_agg(case attname when '_deleted_at' then '_deleted_at is null' "
            "else quote_ident(attname) end, ', ' order by attnum) from pg_attribute "
            f"where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped "
            "and (attname not like '\\_%%' or attname = '_deleted_at') and attname <> all(%s)",
            list(varies),
        )
        hashes = f"select array_agg(hashtextextended(row({columns})::text, 0)) from {table} where {which}"
        [(found, count)] = self.stack.rows(f"select ({hashes}), ({loads})")
        return Counter(found or ()), count

    def ledger(self, source: str, stream: str) -> list[tuple[Any, ...]]:
        """Return what the ledger says of a stream's loads, oldest first."""
        return self.stack.rows(LEDGER, source, stream)
