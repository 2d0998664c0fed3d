"""What publications keep of what they replaced, so that they can be rolled back."""

import re
from collections.abc import Iterable
from typing import Any

from datastack.contract.sql import identifier, sql
from datastack.warehouse.marts import KEPT, kept_schema

_NAME = re.compile(r"p(\d+)_")


def forget(db: Any, domain: str) -> None:
    """Drop what is kept of all but the newest publications that stand."""
    db.execute(sql("ops/forget_undo"), (domain, KEPT))
    db.execute("select publication_id from ops.publications where domain = $1 and kept", (domain,))
    kept = {int(row[0]) for row in db.fetchall()}
    drop(db, domain, (name for name, publication_id in _tables(db, domain) if publication_id not in kept))


def drop(db: Any, domain: str, names: Iterable[str]) -> None:
    """Drop tables of the domain's kept schema."""
    for name in names:
        db.execute(f"drop table if exists {identifier(kept_schema(domain), name)}")


def _tables(db: Any, domain: str) -> list[tuple[str, int]]:
    db.execute("select tablename::text from pg_tables where schemaname = $1", (kept_schema(domain),))
    found = ((row[0], _NAME.match(row[0])) for row in db.fetchall())
    return [(name, int(match[1])) for name, match in found if match]
