"""The operational database of the demo: households, products and their purchases.

    python -m local.demo.retail_db seed      create the tables and load what has happened up to now
    python -m local.demo.retail_db replay    release purchases as their time comes, until it is stopped

DEMO_RETAIL_DB_URI is the database, as its owner; DATASTACK_DEMO_ANCHOR the day that plays "today".
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from local.demo import dataset, replay

SQL = Path(__file__).parent / "sql"
URI_VARIABLE = "DEMO_RETAIL_DB_URI"


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """What `seed` did: rows loaded by table; none when the database was seeded already."""

    anchor: date
    rows: Mapping[str, int]


def seed(connection: psycopg.Connection[Any], anchor: date, now: datetime) -> Seeded:
    """Create and fill the tables in one transaction, so that all of it is there or nothing.

    A seeded database stays as it is. Raises RuntimeError when it was seeded for an anchor with another shift.
    """
    weeks = dataset.shift_weeks(anchor)
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(hashtext('local.demo.retail_db seed'))")
        if is_seeded(connection):
            _require_shift(connection, weeks, anchor)
            return Seeded(anchor=anchor, rows={})
        connection.execute((SQL / "create.sql").read_bytes())
        rows = {
            "public.households": _copy(connection, "public.households", [dataset.households(weeks)]),
            "public.products": _copy(connection, "public.products", [dataset.products(weeks)]),
            "public.transactions": _copy(connection, "public.transactions", _bought(now, weeks, already=True)),
            "backlog.transactions": _copy(connection, "backlog.transactions", _bought(now, weeks, already=False)),
        }
        connection.execute((SQL / "finish.sql").read_bytes())
        connection.execute("insert into backlog.seeded values (%s, %s, %s)", (anchor, weeks, now))
    return Seeded(anchor=anchor, rows=rows)


def is_seeded(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether a seed has been committed in this database."""
    return connection.execute("select to_regclass('backlog.seeded')").fetchone() != (None,)


def uri_from(environment: Mapping[str, str]) -> str:
    """Return the database to work on. Raises ValueError when it is missing."""
    if not environment.get(URI_VARIABLE):
        raise ValueError(f"{URI_VARIABLE} is not set: set it to postgresql://owner:password@host:port/database")
    return environment[URI_VARIABLE]


def _bought(now: datetime, weeks: int, *, already: bool) -> Iterator[pa.RecordBatch]:
    """Yield the purchases up to `now`, or those after it."""
    moment = pa.scalar(now, dataset.UTC_TIMESTAMP)
    wanted = pc.less_equal if already else pc.greater
    return (batch.filter(wanted(batch["transaction_at"], moment)) for batch in dataset.transactions(weeks))


def _copy(connection: psycopg.Connection[Any], table: str, batches: Iterable[pa.Table | pa.RecordBatch]) -> int:
    """COPY batches into a table of this transaction; returns the rows. FREEZE spares the readers a vacuum."""
    plain = pa_csv.WriteOptions(include_header=False)
    command = f"copy {table} from stdin (format csv, freeze true)"
    with connection.cursor() as cursor:
        with cursor.copy(command.encode()) as copy:
            for batch in batches:
                rendered = pa.BufferOutputStream()
                pa_csv.write_csv(batch, rendered, plain)
                copy.write(memoryview(rendered.getvalue()))
        return cursor.rowcount


def _require_shift(connection: psycopg.Connection[Any], weeks: int, anchor: date) -> None:
    row = connection.execute("select anchor, shift_weeks from backlog.seeded").fetchone()
    if row is None or row[1] != weeks:
        raise RuntimeError(
            f"retail_db was seeded for anchor {row and row[0]}, and {anchor} is other weeks: "
            f"set {dataset.ANCHOR_VARIABLE} back, or drop the database (`make clean`) and seed again"
        )


def _seed_and_tell(uri: str) -> None:
    started = perf_counter()
    with psycopg.connect(uri, connect_timeout=5) as connection:
        done = seed(connection, dataset.anchor_from(os.environ), datetime.now(UTC))
    if not done.rows:
        print(f"retail_db: seeded already, anchor {done.anchor}")
        return
    for table, rows in done.rows.items():
        print(f"retail_db: {rows:>9,} rows in {table}")
    print(f"retail_db: seeded in {perf_counter() - started:.1f} s, anchor {done.anchor}")


def main() -> None:
    """Run one of the two commands; a failure is one line and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m local.demo.retail_db", description="The demo's database.")
    parser.add_argument("command", choices=["seed", "replay"])
    command = parser.parse_args().command
    try:
        uri = uri_from(os.environ)
        if command == "seed":
            _seed_and_tell(uri)
        else:
            replay.run(uri, replay.Settings.from_environment(os.environ))
    except (OSError, RuntimeError, ValueError, psycopg.Error) as failure:
        sys.exit(f"retail_db {command} failed: {' '.join(str(failure).split())}")


if __name__ == "__main__":
    main()
