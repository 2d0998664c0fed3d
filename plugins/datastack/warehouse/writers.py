"""Write dispositions: how rows enter their raw table. Each gives the same table in whatever order loads arrive."""

from collections.abc import Callable

from datastack.contract.sources import Write
from datastack.contract.sql import identifier, identifiers, sql
from datastack.warehouse import deletes, indexes, versions
from datastack.warehouse.columns import deleted_at
from datastack.warehouse.copy_in import ingest
from datastack.warehouse.load import WarehouseError
from datastack.warehouse.reconcile import reconcile
from datastack.warehouse.staging import Work, is_direct, keep_one, stage


def write(work: Work) -> int:
    """Bring the rows in, as the stream's disposition has it; return how many rows of the load the table took.

    :raises WarehouseError: if another number of rows arrives than the manifest says.
    """
    return _WRITERS[work.load.stream.write](work)


def _replace_slice(work: Work) -> int:
    load, cursor = work.load, identifier(work.load.stream.cursor or "")
    bounds = (load.slice.start, load.slice.end)
    if _gives_way(work):
        work.db.execute(sql("postgres/replace_slice", table=work.table.name, cursor=cursor), bounds)
    start, end = (f"timestamptz '{bound.isoformat()}'" for bound in bounds)
    return _enter(work, f"_load_id = {work.load_id} and {cursor} >= {start} and {cursor} < {end}")


def _append(work: Work) -> int:
    load = work.load
    if _gives_way(work):
        if load.delivered:
            which: list[object] = [load.delivered.key]
            of = "object_key = $3"
        else:
            of = "object_key is null and slice_start >= $3::timestamptz and slice_end <= $4::timestamptz"
            which = [load.slice.start, load.slice.end]
        values = (load.contract.source, load.contract.stream, *which)
        work.db.execute(sql("postgres/replace_loads", table=work.table.name, of=of), values)
    return _enter(work, f"_load_id = {work.load_id}")


def _replace(work: Work) -> int:
    if _gives_way(work):  # not truncate: readers keep the old rows until commit
        work.db.execute(f"delete from {work.table.name}")  # noqa: S608 quoted
    return _enter(work, f"_load_id = {work.load_id}")


def _gives_way(work: Work) -> bool:
    """Whether rows are to go which the load's take the place of; rows that are replayed join those of their load."""
    return not work.table.is_empty and work.load.replay_of is None


def _enter(work: Work, inside: str) -> int:
    """Copy rows straight in, or by way of a temporary table where they need other types than COPY can give them.

    :param inside: SQL that holds for the load's rows, if they are where they should be, and no others.
    """
    loaded = _copied(work, inside)
    if loaded:
        indexes.make(work.db, work.load, work.table)
    return loaded


def _copied(work: Work, inside: str) -> int:
    db, load, table = work.db, work.load, work.table.name
    if is_direct(work):
        ingest(db, work.rows, load.schema_name, load.contract.stream)
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
