"""Who reads which mart: recomputed at every publication, and never taken from a role that an administrator granted."""

from typing import Any

from datastack.contract.sql import sql
from datastack.warehouse import views
from datastack.warehouse.marts import Mart, published_name

ANYBODY = ("analyst", "ml")
RESTRICTED = ("restricted_reader",)


def grant(db: Any, mart: Mart) -> None:
    """Let a mart's readers read it, and nobody of the others who got the right from us.

    Grants take no lock that a reader would wait for.
    """
    table, view = published_name(mart.table), views.view_of(mart.table)
    _grant(db, table, RESTRICTED if mart.is_restricted else ANYBODY)
    if view and (db.execute("select to_regclass($1)", (view,)).fetchone()[0]):
        _grant(db, view, RESTRICTED if mart.is_restricted else ("ml",))


def _grant(db: Any, relation: str, wanted: tuple[str, ...]) -> None:
    found = {role for role, _ in views.readers(db, relation)}
    for role in wanted:
        if role not in found:
            db.execute(f"grant select on {relation} to {role}")
    # A mart that is restricted no more may stay readable to who reads restricted ones.
    for role in ANYBODY:
        if role in found and role not in wanted:
            db.execute(f"revoke select on {relation} from {role}")  # noqa: S608 quoted


def comment(db: Any, built: str, published: str) -> None:
    """Bring the comments of a built table and its columns to the published one."""
    db.execute(sql("postgres/new_comments"), (built, published))
    for (statement,) in db.fetchall():
        db.execute(statement)
