"""Views in schema ``ml``: marts for models, under names without their prefix."""

from typing import Any

from datastack.contract.sql import identifier, identifiers, sql

SCHEMA = "ml"
_PREFIX = "ml_"

Grants = list[tuple[str, bool]]  # role, quoted; whether it may pass the right on


def view_of(table: str) -> str | None:
    """Quoted name of a mart's view; None if it has none."""
    return identifier(SCHEMA, table.removeprefix(_PREFIX)) if table.startswith(_PREFIX) else None


def grants(db: Any, table: str) -> Grants:
    """Who may read a mart's view."""
    return readers(db, view) if (view := view_of(table)) else []


def readers(db: Any, relation: str) -> Grants:
    """Who may read a table or view, its owner left out."""
    db.execute(sql("postgres/readers"), (relation,))
    return [(row[0], row[1]) for row in db.fetchall()]


def drop(db: Any, table: str) -> None:
    """Drop a mart's view, if there is one."""
    if view := view_of(table):
        db.execute(f"drop view if exists {view}")


def create(db: Any, schema: str, table: str, grants: Grants) -> None:
    """Create a mart's view on all of its columns, with the grants it had."""
    if view := view_of(table):
        columns = identifiers(_columns(db, identifier(schema, table)))
        db.execute(f"create view {view} as select {columns} from {identifier(schema, table)}")  # noqa: S608 quoted
        for role, may_pass_on in grants:
            db.execute(f"grant select on {view} to {role}{' with grant option' if may_pass_on else ''}")


def is_current(db: Any, schema: str, table: str) -> bool:
    """Whether a mart needs no view, or has one on all of its columns."""
    view = view_of(table)
    return view is None or _columns(db, view) == _columns(db, identifier(schema, table))


def _columns(db: Any, relation: str) -> list[str]:
    db.execute(sql("postgres/raw_columns"), (relation,))
    return [row[0] for row in db.fetchall()]
