"""Write dispositions: how rows enter their raw table. Each gives the same table in whatever order loads arrive."""

from collections.abc import Callable

from datastack.contract.sources import Write
from datastack.contract.sql import identifier, identifiers, sql
from datastack.warehouse import deletes, indexes, versions
from datastack.warehouse.columns import deleted_at
from datastack.warehouse.load import WarehouseError
from datastack.warehouse.reconcile import reconcile
from datastack.warehouse.staging import Work, is_direct, keep_one, stage


def write(work: Work) -> int:
    """Bring the rows in, as the stream's disposition has it; return how many rows of the load the table took.

    :raises WarehouseError: if another number of rows arrives than the manifest says.
    """
    return _WRITERS[work.load.stream.write](work)


def _replace_slice(work: Work) -> int:
    return _exchange(work, identifier(work.load.stream.cursor or ""))


def _append(work: Work) -> int:
    """Rows know their slice's start; as no other slice of the table overlaps in part, it tells what a slice brought."""
    return _exchange(work, "_slice_start")


def _exchange(work: Work, dated: str) -> int:
    db, load, table = work.db, work.load, work.table.name
    bounds = (load.slice.start, load.slice.end)
    if not work.table.is_empty:
        db.execute(sql("postgres/replace_slice", table=table, dated=dated), bounds)
    start, end = (f"timestamptz '{bound.isoformat()}'" for bound in bounds)
    loaded = _enter(work, f"{dated} >= {start} and {dated} < {end}")
    if loaded:
        indexes.make(db, load, work.table)
    return loaded


def _replace(work: Work) -> int:
    work.db.execute(f"delete from {work.table.name}")  # noqa: S608 not truncate: readers keep the old rows until commit
    return _enter(work)


def _enter(work: Work, inside: str = "true") -> int:
    """Copy rows straight in, or by way of a temporary table where they need other types than COPY can give them.

    :param inside: SQL that holds for the load's rows and no others.
    """
    db, load, table = work.db, work.load, work.table.name
    if is_direct(work):
        work.ingest(db, work.rows, load.contract.stream, load.schema_name)
        return reconcile(db, load, work.rows, table, inside)
    columns = identifiers(work.columns)
    loaded = db.execute(f"insert into {table} ({columns}) select {columns} from {stage(work)}").rowcount  # noqa: S608
    found = db.execute(f"select count(*) from {table} where {inside}").fetchone()[0]  # noqa: S608 quoted
    if found != loaded:
        raise WarehouseError(
            f"loading {load}: {loaded - found} of its {loaded} rows are outside of the slice. Nothing was changed; "
            "clear the task that extracts it to read the slice anew"
        )
    return int(loaded)


def _merge(work: Work) -> int:
    db, load, table = work.db, work.load, work.table
    staged = stage(work)
    keep_one(work, staged, list(load.contract.key))
    columns = {name: identifier(name) for name in work.columns}
    if load.soft_delete:
        columns["_deleted_at"] = deleted_at(load)
    parts = {
        "table": table.name,
        "columns": ", ".join(map(identifier, columns)),
        "values": ", ".join(columns.values()),
        "staged": staged,
    }
    if table.is_empty:
        loaded = int(db.execute(sql("postgres/insert", **parts)).rowcount)
        indexes.make(db, load, table)
    else:
        indexes.make(db, load, table)
        changing = [identifier(name) for name in columns if name not in load.contract.key]
        statement = sql(
            "postgres/merge",
            **parts,
            key=identifiers(load.contract.key),
            assignments=", ".join(f"{name} = excluded.{name}" for name in changing),
            wins=versions.wins(work, "excluded", "target"),
        )
        loaded = int(db.execute(statement).rowcount)
    if load.compares_keys:
        deletes.compare(work, staged)
        db.execute(sql("postgres/keys_to_table", **deletes.names(load), table=table.name, staged=staged))
    return loaded


def _scd2(work: Work) -> int:
    staged = stage(work)
    keep_one(work, staged, [*work.load.contract.key, work.load.stream.cursor or ""])
    if work.load.compares_keys:
        deletes.compare(work, staged)
    return versions.sort_in(work, staged)


_WRITERS: dict[Write, Callable[[Work], int]] = {
    Write.REPLACE_SLICE: _replace_slice,
    Write.APPEND: _append,
    Write.REPLACE: _replace,
    Write.MERGE: _merge,
    Write.SCD2: _scd2,
}
