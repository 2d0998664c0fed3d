"""The raw table: made and altered as its contract says, in the transaction of a load."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datastack.contract.sources import Write
from datastack.contract.sql import identifier, sql
from datastack.warehouse.catalogue import found_columns
from datastack.warehouse.columns import deleted_at, ours, wanted
from datastack.warehouse.load import Load, WarehouseError, derived
from datastack.warehouse.widening import common_type, converted, settles, widens

# What rows have that came before there was such a column: no load, and an age that gives way to any other.
_UNKNOWN = {"_load_id": "0", "_extracted_at": "epoch"}


@dataclass
class RawTable:
    """A raw table that fits its load; ``columns`` maps names to contract types."""

    name: str
    columns: dict[str, str]
    is_empty: bool
    changes: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)


def aligned(db: Any, load: Load) -> RawTable:
    """Return the load's raw table, made if there is none, altered if it has not what the load brings.

    :raises WarehouseError: if it can't be altered so: the error names column, types and remedy.
    """
    name = identifier(load.schema_name, load.contract.stream)
    found = found_columns(db, name)
    if not found:
        return _created(db, load, name)
    db.execute(f"select not exists (select from {name})")  # noqa: S608 quoted
    table = RawTable(name, {column: kind for column, (kind, _) in found.items()}, db.fetchone()[0])
    _same_disposition(load, table)
    _add_ours(db, load, table)
    for column, (kind, required) in wanted(load).items():
        if column not in found:
            _add(db, load, table, column, kind, required)
        elif table.columns[column] != kind:
            _change_type(db, load, table, column, kind)
    _drop_not_null(db, load, table, found)
    return table


def _created(db: Any, load: Load, name: str) -> RawTable:
    columns = wanted(load)
    ddl = [f"{identifier(column)} {kind}{' not null' * required}" for column, (kind, required) in columns.items()]
    ddl += [f"{column} {kind}" for column, kind in ours(load).items()]
    db.execute(sql("postgres/create_raw_table", table=name, columns=",\n    ".join(ddl)))
    types = {column: kind for column, (kind, _) in columns.items()}
    known = {column.name for column in load.contract.stored}
    return RawTable(name, types, True, [], [column for column in columns if column not in known])


def _same_disposition(load: Load, table: RawTable) -> None:
    if ("_valid_from" in table.columns) != (load.stream.write is Write.SCD2):
        raise WarehouseError(
            f"loading {load}: {table.name} was made for another write disposition than {load.stream.write.value}. "
            "Nothing was changed; rename or drop it, and load the stream anew"
        )


def _add_ours(db: Any, load: Load, table: RawTable) -> None:
    for column, kind in ours(load).items():
        if column in table.columns:
            continue
        if kind.endswith("not null"):
            db.execute(f"alter table {table.name} add column {column} {kind} default '{_UNKNOWN[column]}'")
            db.execute(f"alter table {table.name} alter column {column} drop default")
        else:
            db.execute(f"alter table {table.name} add column {column} {kind}")
        if column == "_deleted_at" and load.soft_delete:
            time = deleted_at(load)
            db.execute(f"update {table.name} set {column} = {time} where {time} is not null")  # noqa: S608 quoted
        if column == "_load_id":
            _find_loads(db, load, table)
        table.columns[column] = kind.split()[0]


def _find_loads(db: Any, load: Load, table: RawTable) -> None:
    """Let rows carry their load that named its attempt before; what they had beside that stays, and may be null."""
    values, found = (load.contract.source, load.contract.stream), 0
    if "_manifest" in table.columns:
        found = db.execute(sql("postgres/find_loads", table=table.name), values).rowcount
        db.execute(f"drop index if exists {identifier(load.schema_name, derived(load.contract.stream, 'slice'))}")
    db.execute(f"select count(*) from {table.name} where _load_id = 0")  # noqa: S608 quoted
    lost = db.fetchone()[0]
    table.changes.append(
        f"added _load_id bigint: {found} rows have that of the load which brought them, {lost} have 0, as the ledger "
        "does not know it. _slice_start, _loaded_at and _manifest stay as they are in these rows; later ones lack them"
    )


def _add(db: Any, load: Load, table: RawTable, column: str, kind: str, required: bool) -> None:
    is_strict = required and table.is_empty
    db.execute(f"alter table {table.name} add column {identifier(column)} {kind}{' not null' * is_strict}")
    table.columns[column] = kind
    note = " (may be null: earlier rows have no value)" if required and not is_strict else ""
    table.changes.append(f"added {column} {kind}{note}")
    if load.contract_type(column) is None:
        table.added.append(column)


def _change_type(db: Any, load: Load, table: RawTable, column: str, kind: str) -> None:
    """Alter a column if the new type holds all it has; a column that no contract knows may stay as it is."""
    old, new = table.columns[column], kind
    if load.contract_type(column) is None:
        if (common := common_type(old, kind)) is None:
            raise WarehouseError(
                f"loading {load}: {column}, which its contract does not know, has become {kind} and is {old} in "
                f"{table.name}. Nothing was changed; declare it in {load.contract.file.name}, as {old}"
            )
        new = common
    elif settles(old, new):
        is_exact(db, load, table.name, identifier(column), new)
    elif not widens(old, new):
        raise WarehouseError(
            f"loading {load}: {load.contract.file.name} has {column} as {new}, but it is {old} in {table.name}, which "
            f"may hold values that don't fit. Nothing was changed; declare it as {old} again, or raise the contract's "
            "major version, rename the table and load the stream anew"
        )
    if new == old:
        return
    _no_views(db, load, table, column, new)
    using = converted(identifier(column), old, new)
    db.execute(f"alter table {table.name} alter column {identifier(column)} type {new} using {using}")
    table.columns[column] = new
    table.changes.append(f"changed {column} from {old} to {new}")


def is_exact(db: Any, load: Load, relation: str, expression: str, kind: str) -> None:
    """Make sure that numbers are the same in a type of fixed scale.

    :raises WarehouseError: with the number of those that are not.
    """
    db.execute(sql("postgres/inexact", relation=relation, value=expression, type=kind))
    if count := db.fetchone()[0]:
        raise WarehouseError(
            f"loading {load}: {count} values of {expression} don't fit {kind} exactly. Nothing was changed; declare a "
            f"wider type in {load.contract.file.name}"
        )


def _no_views(db: Any, load: Load, table: RawTable, column: str, kind: str) -> None:
    db.execute(sql("postgres/column_views"), (table.name, column))
    if views := db.fetchall():
        drops = "; ".join(f"drop {what} {view} -- as {owner}" for view, what, owner in views)
        raise WarehouseError(
            f"loading {load}: {column} of {table.name} must become {kind}, but {', '.join(view for view, *_ in views)} "
            f"read it, and Postgres changes no column under a view. Nothing was changed; drop them ({drops}) and clear "
            "this task: the next dbt run builds them anew"
        )


def _drop_not_null(db: Any, load: Load, table: RawTable, found: Mapping[str, tuple[str, bool]]) -> None:
    needed = {column for column, (_, required) in wanted(load).items() if required} | set(ours(load))
    for column, (_, is_strict) in found.items():
        if is_strict and column not in needed:
            db.execute(f"alter table {table.name} alter column {identifier(column)} drop not null")
            if not column.startswith("_"):
                table.changes.append(f"{column} may be null now")
