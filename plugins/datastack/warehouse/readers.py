"""Who reads which mart: recomputed at every publication.

What an administrator has granted a role is never taken from it; but nothing that is restricted is public.
"""

from typing import Any

from datastack.contract.sql import sql
from datastack.warehouse import views
from datastack.warehouse.marts import Mart, published_name

ANYBODY = ("analyst", "ml")
RESTRICTED = ("restricted_reader",)


def grant(db: Any, mart: Mart) -> None:
    """Let a mart's readers read it, and none of the others who got the right from us; a restricted one not the public.

    Grants take no lock that a reader would wait for.
    """
    for relation, who in _relations(db, mart):
        wanted = RESTRICTED if mart.is_restricted else who
        # A mart that is restricted no more may stay readable to who reads restricted ones.
        closed = (*ANYBODY, "public") if mart.is_restricted else ANYBODY
        readers = {role for role, _ in views.readers(db, relation)}
        for role in wanted:
            if role not in readers:
                db.execute(f"grant select on {relation} to {role}")
        for role in _all_readers(db, relation):
            if role in closed and role not in wanted:
                db.execute(f"revoke select on {relation} from {role}")  # noqa: S608 quoted


def uninvited(db: Any, mart: Mart) -> list[str]:
    """Tell of roles that read a restricted mart by a grant that is not ours to take; each relation in one text."""
    if not mart.is_restricted:
        return []
    found = []
    for relation, _ in _relations(db, mart):
        if names := ", ".join(role for role in _all_readers(db, relation) if role not in RESTRICTED):
            remedy = f"revoke select on {relation} from {names}"  # noqa: S608 for people to run
            found.append(
                f"{relation} has restricted columns, but was granted by hand to {names}, who may read it still. "
                f"Who should read restricted marts gets restricted_reader; to close it to the others: {remedy}"
            )
    return found


def _relations(db: Any, mart: Mart) -> list[tuple[str, tuple[str, ...]]]:
    """The mart's table, and its view, if it has one; each with its readers, unless it is restricted."""
    found: list[tuple[str, tuple[str, ...]]] = [(published_name(mart.table), ANYBODY)]
    view = views.view_of(mart.table)
    if view and (db.execute("select to_regclass($1)", (view,)).fetchone()[0]):
        found.append((view, ("ml",)))
    return found


def _all_readers(db: Any, relation: str) -> list[str]:
    """Who may read a relation, or some of its columns; quoted, or ``public``."""
    db.execute(sql("postgres/any_readers"), (relation,))
    return [row[0] for row in db.fetchall()]


def comment(db: Any, built: str, published: str) -> None:
    """Bring the comments of a built table and its columns to the published one."""
    db.execute(sql("postgres/new_comments"), (built, published))
    for (statement,) in db.fetchall():
        db.execute(statement)
