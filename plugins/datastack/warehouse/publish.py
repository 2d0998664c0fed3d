"""Brings audited marts to their readers in one transaction, and tells which loads they hold."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datastack.contract.sql import identifier, sql
from datastack.warehouse.load import RunRef, WarehouseError
from datastack.warehouse.transaction import transaction

MARTS = "marts"
READERS = ("analyst", "ml")


@dataclass(frozen=True)
class Pending:
    """Loads that no publication of a domain holds yet, and streams that were never loaded."""

    load_ids: tuple[int, ...]
    awaited: tuple[str, ...]


@dataclass(frozen=True)
class Published:
    """One mart's exchange: rows now, rows taken out, rows brought in."""

    table: str
    rows: int
    deleted: int
    inserted: int


def build_schema(domain: str) -> str:
    """Warehouse schema where dbt builds a domain's marts, out of the consumers' sight."""
    return f"build_{domain}"


def pending_loads(uri: str, domain: str, streams: Sequence[tuple[str, str]]) -> Pending:
    """Ask the ledger what a publication of the domain would be the first to hold.

    :param streams: source and stream names that the domain reads.
    """
    sources = sorted({source for source, _ in streams})
    with transaction(uri, "reading the ledger") as db:
        db.execute(sql("ops/unpublished_loads"), (domain, sources))
        load_ids = tuple(row[2] for row in db.fetchall())
        db.execute("select distinct source, stream from ops.loads")
        loaded = {(row[0], row[1]) for row in db.fetchall()}
    return Pending(load_ids, tuple(".".join(stream) for stream in streams if stream not in loaded))


def publish(uri: str, domain: str, tables: Sequence[str], load_ids: Sequence[int], run: RunRef) -> list[Published]:
    """Make every table of ``marts`` equal its built one, in one transaction: readers see all of it or nothing.

    :param load_ids: loads that the built marts hold; the publication records them.
    :raises WarehouseError: if it fails. Readers keep what they had.
    """
    with transaction(uri, f"publishing {domain}") as db:
        db.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", (f"datastack.publish.{domain}",))
        db.fetchall()
        db.execute("set local work_mem = '128MB'")
        done = [_exchange(db, build_schema(domain), table) for table in tables]
        rows = json.dumps([{"table": each.table, "rows": each.rows} for each in done])
        db.execute(sql("ops/insert_publication"), (domain, rows, run.dag_id, run.run_id, run.try_number))
        publication_id = db.fetchone()[0]
        db.execute(sql("ops/insert_publication_loads"), (publication_id, list(load_ids)))
    return done


def _exchange(db: Any, schema: str, table: str) -> Published:
    built, published = identifier(schema, table), identifier(MARTS, table)
    _same_shape(db, built, published)
    deleted = int(db.execute(sql("postgres/publish_delete", built=built, published=published)).rowcount)
    inserted = int(db.execute(sql("postgres/publish_insert", built=built, published=published)).rowcount)
    if inserted or deleted:
        db.execute(f"analyze {published}")
    return Published(table, _same_count(db, built, published), deleted, inserted)


def _same_count(db: Any, built: str, published: str) -> int:
    """Count the published rows; rows are compared as sets, so a mart with equal rows would lose some unnoticed."""
    db.execute(f"select (select count(*) from {built}), (select count(*) from {published})")  # noqa: S608 quoted
    wanted, found = (int(rows) for rows in db.fetchone())
    if wanted != found:
        raise WarehouseError(
            f"{built} has {wanted} rows, but {found} came to {published}; nothing was changed. "
            "Some of its rows are equal: give the model a key, or select distinct rows"
        )
    return found


def _same_shape(db: Any, built: str, published: str) -> None:
    wanted, found = (_shape(db, name) for name in (built, published))
    if wanted is None:
        raise WarehouseError(f"{built} does not exist: did its dbt model run?")
    if wanted == found:
        return
    if found is not None:
        db.execute(f"drop table {published}")
    db.execute(f"create table {published} (like {built} including comments)")
    db.execute(f"grant select on {published} to {', '.join(READERS)}")


def _shape(db: Any, name: str) -> str | None:
    db.execute(sql("postgres/table_columns"), (name,))
    shape: str | None = db.fetchone()[0]
    return shape
