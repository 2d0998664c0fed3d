"""Marts made by hand, and what plans, publishes and rolls them back, as the operators do."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from datastack.warehouse.load import RunRef
from datastack.warehouse.marts import Mart, MartSlices
from datastack.warehouse.plan import Code, Plan, Wish, make_plan
from datastack.warehouse.publish import Publication, Release, publish
from datastack.warehouse.rollback import Rollback, planned_rollback, roll_back

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.harness import Stack

STREAMS = [("shop", "sales"), ("shop", "people")]
SLICED = MartSlices("shop", "sales", "sold_at")
PAIR = (Mart("fct_a"), Mart("fct_b"))
_LOAD = """
    insert into ops.loads (
        source, stream, slice_start, slice_end, write_disposition, contract_version, manifest_key, manifest_digest,
        extracted_at, source_rows, lake_rows, loaded_rows, quarantined_rows, bytes, dag_id, run_id, try_number,
        object_key, replay_of, superseded
    ) values (
        'shop', %(stream)s, %(start)s, %(end)s, %(write)s, %(version)s, 'm', gen_random_uuid()::text,
        now(), 1, 1, 1, 0, 1, 'd', 'r', 1, %(object)s, %(replay_of)s, %(superseded)s
    ) returning load_id
"""
_PASS = """
    insert into ops.gate_marks (source, stream, load_id, contract_digest, dag_id, run_id, try_number)
    select source, stream, max(load_id), 'x', 'd', 'r', 1 from ops.loads where stream = %s group by source, stream
    on conflict (source, stream) do update set load_id = excluded.load_id
"""


class Domain:
    """The domain ``retail`` with marts made by hand."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.code, self.run = stack, Code({"m": "1"}, frozenset(["m"])), "run 1"
        self.streams = STREAMS

    @property
    def uri(self) -> str:
        """Address of the warehouse as the transformer."""
        return self.stack.warehouse.uri("warehouse", "transformer", self._password("transformer"))

    def login(self, role: str, **options: Any) -> Any:
        """Connect as a role does."""
        import psycopg

        return psycopg.connect(
            self.stack.warehouse.uri("warehouse", role, self._password(role)), autocommit=True, **options
        )

    def _password(self, role: str) -> str:
        return self.stack.servers.secrets[f"PG_{role.upper()}_PASSWORD"]

    def load(self, day: int = 1, stream: str = "sales", **given: Any) -> int:
        """Write a load of a day of November 2019, or of ``start`` to ``end``, into the ledger; return its id.

        It has passed its gate, unless ``gated=False`` is given.
        """
        gated = given.pop("gated", True)
        values = {
            "stream": stream,
            "start": f"2019-11-{day:02d}T00:00Z",
            "end": f"2019-11-{day + 1:02d}T00:00Z",
            "write": "replace_slice" if stream == "sales" else "replace",
            "version": "1.0.0",
            "object": None,
            "replay_of": None,
            "superseded": False,
        }
        with self.login("loader") as db:
            load_id: int = db.execute(_LOAD, values | given).fetchone()[0]
        if gated:
            self.let_pass(stream)
        return load_id

    def let_pass(self, stream: str = "sales") -> None:
        """Write into the ledger that all loads of a stream have passed their gate."""
        with self.login("loader") as db:
            db.execute(_PASS, (stream,))

    def build(self, table: str, query: str) -> None:
        """Build a mart as dbt does."""
        with self.login("transformer") as db:
            db.execute(f"create table build_retail.new as {query}")
            db.execute(f"drop table if exists build_retail.{table}")
            db.execute(f"alter table build_retail.new rename to {table}")

    def pair(self, amount: int, rows: int = 4, more: str = "") -> None:
        """Build the marts of PAIR, which hold amounts of the same sum."""
        columns = f"id, case id % 3 when 0 then null else 'n' end as note, {amount} as amount {more}"
        for table in ("fct_a", "fct_b"):
            self.build(table, f"select {columns} from generate_series(1, {rows}) as id")

    def plan(self, run: str | None = None, **wish: bool) -> Plan:
        """Plan, as a run of the transform."""
        self.run = run or self.run
        return make_plan(self.uri, "retail", self.streams, self.code, Wish(**wish), self._ref())

    def publish(self, *marts: Mart, run: str | None = None) -> Publication:
        """Publish, as a run of the transform."""
        release = Release(self.code.checksums, "1.11", "1.0")
        return publish(self.uri, "retail", marts or PAIR, self.streams, release, self._ref(run))

    def released(self, *marts: Mart, **wish: bool) -> Publication:
        """Plan by force, and publish."""
        self.plan(**{"force": True, **wish})
        return self.publish(*marts)

    def roll_back(self, run: str = "rollback 1") -> Rollback | None:
        """Take the last publication back."""
        planned = planned_rollback(self.uri, "retail").publication_id
        return roll_back(self.uri, "retail", planned, RunRef("maintain_rollback", run, 1))

    def _ref(self, run: str | None = None) -> RunRef:
        return RunRef("transform_retail", run or self.run, 1)

    def marts(self) -> dict[str, list[tuple[Any, ...]]]:
        """What readers see: the rows of each mart, in order."""
        tables = self.stack.rows("select tablename from pg_tables where schemaname = 'marts' order by 1")
        return {table: self.stack.rows(f"select * from marts.{table} as t order by t::text") for (table,) in tables}

    def equals_built(self, *tables: str) -> bool:
        """Whether readers see what was built."""
        return all(self._rows("marts", table) == self._rows("build_retail", table) for table in tables)

    def _rows(self, schema: str, table: str) -> list[tuple[Any, ...]]:
        columns = (
            "select string_agg(quote_ident(column_name), ', ' order by column_name) from information_schema.columns"
        )
        names = self.stack.one(f"{columns} where table_schema = '{schema}' and table_name = '{table}'")
        return [(names,), *self.stack.rows(f"select {names} from {schema}.{table} order by {names}")]

    @contextmanager
    def reading(self, *statements: str, role: str = "analyst") -> Iterator[Any]:
        """Keep a reader's transaction open that has begun with these statements."""
        with self.login(role, application_name="dashboard") as db:
            db.execute("begin")
            for statement in statements:
                db.execute(statement)
            yield db
            db.execute("commit")


def ready(stack: Stack) -> Domain:
    """Domain of which every stream is loaded."""
    domain = Domain(stack)
    domain.load()
    domain.load(stream="people")
    return domain
