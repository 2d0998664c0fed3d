"""The tables that are moved, and the proof that they arrived."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SQL = Path(__file__).parent / "sql"
SCHEMA = "bench"  # of all source tables


@dataclass(frozen=True)
class Table:
    """A source table.

    :param columns: name, type and whether it may be null.
    :param kind: what it has: there are ``create_<kind>`` and a way to fill it.
    :param key: columns of its primary key, if it has one.
    """

    name: str
    columns: tuple[tuple[str, str, bool], ...]
    kind: str
    key: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """``schema.name``."""
        return f"{SCHEMA}.{self.name}"

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [name for name, _, _ in self.columns]

    @property
    def typed(self) -> list[str]:
        """Names of the columns, each with a cast to its type."""
        return [f"{name}::{kind}" for name, kind, _ in self.columns]


_ORDERS = (
    ("id", "bigint", False),
    ("customer_id", "integer", False),
    ("store_id", "smallint", True),
    ("amount", "numeric(12,2)", False),
    ("discount", "numeric(10,4)", True),
    ("is_gift", "boolean", False),
    ("ordered_at", "timestamptz", False),
    ("delivered_on", "date", True),
    ("status", "text", False),
    ("note", "text", True),
    ("payload", "jsonb", False),
)
_PROMOTIONS = (
    ("product_id", "bigint", False),
    ("store_id", "bigint", False),
    ("display_location", "text", False),
    ("mailer_location", "text", False),
    ("week", "integer", False),
)


def orders(name: str) -> Table:
    """Return a table of mixed columns."""
    return Table(name, _ORDERS, "orders", ("id",))


def promotions(name: str) -> Table:
    """Return a table of short rows."""
    return Table(name, _PROMOTIONS, "promotions")


ORDERS, ORDERS_TENTH = orders("orders"), orders("orders_tenth")
PROMOTIONS = tuple(promotions(name) for name in ("promotions_1", "promotions_10", "promotions"))  # by size
STREAMS = 4  # as how many the tenth is moved too


def streams() -> dict[str, Table]:
    """Return all streams that are ever moved, with their tables."""
    several = dict.fromkeys(stream_names(ORDERS_TENTH, STREAMS), ORDERS_TENTH)
    return {table.name: table for table in (ORDERS, ORDERS_TENTH, *PROMOTIONS)} | several


def by_name(name: str) -> Table:
    """Find a table by its name; raise KeyError when there is none."""
    return streams()[name]


def stream_names(table: Table, count: int) -> list[str]:
    """Names of the streams as which a table is moved ``count`` times."""
    return [table.name] if count == 1 else [f"{table.name}_{number}" for number in range(1, count + 1)]


@cache
def _template(name: str) -> str:
    return (SQL / f"{name}.sql").read_text()


def statement(name: str, **parts: Any) -> str:
    """Return a file of bench/sql with its parts filled in. The parts are the bench's own names."""
    return _template(name).format(**parts)


def create(db: Any, table: Table, path: str | None = None) -> None:
    """Create a table, empty, at its own place or at ``path``; its schema too."""
    path = path or table.path
    db.execute(f"create schema if not exists {path.split('.')[0]}")
    db.execute(f"drop table if exists {path}")
    db.execute(statement(f"create_{table.kind}", table=path))


def fill(db: Any, table: Table, rows: int) -> None:
    """Create a source table with its rows and its primary key, which targets do not have."""
    create(db, table)
    if table.kind == "orders":
        db.execute(statement("fill_orders", table=table.path, rows=rows))
    else:
        with db.cursor() as cursor, cursor.copy(f"copy {table.path} from stdin (format csv)") as copy:
            for chunk in _promotions_csv(rows):
                copy.write(chunk)
    if table.key:
        db.execute(f"alter table {table.path} add primary key ({', '.join(table.key)})")
    db.execute(f"vacuum (analyze, freeze) {table.path}")


def _promotions_csv(rows: int) -> Iterator[bytes]:
    import io

    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    from local.demo.dataset import parquet_path

    left = rows
    for batch in pq.ParquetFile(parquet_path("promotions")).iter_batches(200_000):
        out = io.BytesIO()
        pc.write_csv(batch.slice(0, left), out, pc.WriteOptions(include_header=False))
        yield out.getvalue()
        left -= batch.num_rows
        if left <= 0:
            return


@dataclass(frozen=True)
class Proof:
    """Count and order-independent checksum of a table's rows."""

    rows: int
    checksum: str


def proof(db: Any, path: str, columns: list[str]) -> Proof:
    """Compute it on the server, over columns or expressions.

    :raises psycopg.Error: if the table or a column is missing, or a cast is impossible.
    """
    query = statement("checksum", table=path, columns=", ".join(columns))
    rows, checksum = db.execute(query).fetchone()
    return Proof(rows, str(checksum))
