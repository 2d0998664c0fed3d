"""Columns of a raw table: the contract's, those beyond it, and ours."""

from datastack.contract.sources import Write
from datastack.contract.sql import identifier
from datastack.warehouse.load import Load

_OURS = {"_load_id": "bigint not null"}  # of ops.loads, which has all else there is to say about it
_KEYED = {"_extracted_at": "timestamptz not null"}
_VERSIONED = {
    "_valid_from": "timestamptz not null",
    "_valid_to": "timestamptz",
    "_is_current": "boolean not null",
}
_DELETED = {"_deleted_at": "timestamptz"}


def wanted(load: Load) -> dict[str, tuple[str, bool]]:
    """Columns that the table must have for a load, without ours: type, and whether there is a value in every row."""
    names = set(load.schema.names) - set(load.evolved)
    columns = {column.name: (column.type, column.required and column.name in names) for column in load.contract.stored}
    return columns | {name: (kind, False) for name, kind in load.evolved.items() if name not in columns}


def ours(load: Load) -> dict[str, str]:
    """Columns of our own, by the write disposition."""
    keyed = _KEYED if load.stream.is_keyed else {}
    versioned = _VERSIONED if load.stream.write is Write.SCD2 else {}
    return _OURS | keyed | versioned | (_DELETED if load.has_deletes else {})


def moment(load: Load, column: str, of: str = "") -> str:
    """SQL of a column's value as a timestamptz; without a zone it counts as UTC, and what is no time has none."""
    types = {each.name: each.type for each in load.contract.stored}
    name = f"{of}.{identifier(column)}" if of else identifier(column)
    return {
        "timestamptz": name,
        "timestamp": f"({name} at time zone 'UTC')",
        "date": f"({name}::timestamp at time zone 'UTC')",
    }.get(types[column], "null::timestamptz")


def deleted_at(load: Load, of: str = "") -> str:
    """SQL of the time at which a row was deleted by its own account: the column's, or the cursor's for a boolean."""
    if load.soft_delete is None:
        return "null::timestamptz"
    column = load.soft_delete.column
    if load.contract_type(column) != "boolean":
        return moment(load, column, of)
    prefix = f"{of}." if of else ""
    time = f"coalesce({moment(load, load.stream.cursor or '', of)}, {prefix}_extracted_at)"
    return f"case when {prefix}{identifier(column)} then {time} end"


def brought(load: Load) -> list[str]:
    """Columns of the table that a load's rows have values for, without ours."""
    names = set(load.schema.names) | set(load.evolved)
    return [name for name in wanted(load) if name in names]


def staged_ours(load: Load) -> dict[str, str]:
    """Those of our columns that say where a row comes from."""
    return {name: kind for name, kind in ours(load).items() if name in _OURS or name in _KEYED}
