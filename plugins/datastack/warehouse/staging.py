"""Rows in a temporary table, in the columns and types of their raw table."""

from dataclasses import dataclass
from typing import Any

from datastack.contract.evolve import EXTRA
from datastack.contract.sql import identifier, identifiers, sql
from datastack.warehouse.columns import brought, staged_ours
from datastack.warehouse.copy_in import ingest
from datastack.warehouse.load import Load, WarehouseError
from datastack.warehouse.raw_table import RawTable, is_exact
from datastack.warehouse.reconcile import reconcile
from datastack.warehouse.rows import Rows
from datastack.warehouse.widening import converted, is_cast_on_the_way, settles, widens

STAGED, SHAPED = "datastack_staged", "datastack_shaped"


@dataclass(frozen=True)
class Work:
    """What a load works with: ``keys`` are all of the source's, where they are compared."""

    db: Any
    load: Load
    load_id: int
    table: RawTable
    rows: Rows
    keys: Rows | None = None

    @property
    def columns(self) -> list[str]:
        """Columns that the rows bring to the table, ours included."""
        return [*brought(self.load), *staged_ours(self.load)]


def is_direct(work: Work) -> bool:
    """Whether the rows may be copied into the raw table as they are."""
    types = work.rows.types
    return set(types) == set(brought(work.load)) and all(
        is_cast_on_the_way(kind, work.table.columns[name]) for name, kind in types.items()
    )


def stage(work: Work) -> str:
    """Bring the rows into a temporary table with the types of the raw table; return its name.

    :raises WarehouseError: if another number of rows arrives than the manifest says, or a type does not fit.
    """
    db, load = work.db, work.load
    types = {name: _staged_type(work, name, kind) for name, kind in work.rows.types.items()} | staged_ours(load)
    create_temporary(db, STAGED, types)
    ingest(db, work.rows, STAGED)
    reconcile(db, load, work.rows, STAGED)
    if is_direct(work):
        return STAGED
    values = [f"{_value(work, types, name)} as {identifier(name)}" for name in brought(load)]
    listed = ", ".join([*values, *staged_ours(load)])
    db.execute(f"create temporary table {SHAPED} on commit drop as select {listed} from {STAGED}")  # noqa: S608 quoted
    return SHAPED


def create_temporary(db: Any, name: str, types: dict[str, str]) -> None:
    """Make a temporary table that ends with the transaction."""
    columns = ", ".join(f"{identifier(column)} {kind}" for column, kind in types.items())
    db.execute(f"create temporary table {name} ({columns}) on commit drop")


def keep_one(work: Work, staged: str, key: list[str]) -> None:
    """Leave one row of those with the same key: the newest cursor, then the greater row, byte by byte."""
    cursor = identifier(work.load.stream.cursor or "")
    work.db.execute(sql("postgres/keep_one", staged=staged, key=identifiers(key), cursor=cursor))
    work.db.execute(f"analyze {staged}")


def _staged_type(work: Work, name: str, kind: str) -> str:
    wanted = work.table.columns.get(name, kind)
    return wanted if is_cast_on_the_way(kind, wanted) else kind


def _value(work: Work, types: dict[str, str], name: str) -> str:
    """SQL of a column's value, made from what was staged."""
    load, wanted = work.load, work.table.columns[name]
    if name in types:
        found, expression = types[name], identifier(name)
    elif wanted == "jsonb":
        return f"nullif({EXTRA} -> '{name}', 'null')"
    else:
        found = load.evolved[name]
        expression = f"({EXTRA} ->> '{name}')::{found}"
    if settles(found, wanted):
        is_exact(work.db, load, STAGED, expression, wanted)
        return f"({expression})::{wanted}"
    if found != wanted and not widens(found, wanted):
        raise WarehouseError(
            f"loading {load}: its rows were conformed to another version of {load.contract.file.name}: {name} is "
            f"{found} there and {wanted} in the warehouse. Nothing was changed; clear the task that "
            "extracts it to read the slice anew"
        )
    return converted(expression, found, wanted)
