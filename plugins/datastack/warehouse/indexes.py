"""Indexes and statistics of a raw table: those that the next load needs, when they are needed."""

import hashlib
from typing import Any

from datastack.contract.sources import Write
from datastack.contract.sql import identifier, identifiers
from datastack.warehouse.load import Load
from datastack.warehouse.raw_table import RawTable

_ANALYZE_SHARE = 10  # a tenth of the table, as autovacuum has it


def make(db: Any, load: Load, table: RawTable) -> None:
    """Make the indexes that loads of this kind need, where they are missing."""
    key, name = identifiers(load.contract.key), load.contract.stream
    indexes = {
        Write.REPLACE_SLICE: [("cursor", "index", f"({identifier(load.stream.cursor or '')})")],
        Write.APPEND: [("slice", "index", "(_slice_start)")],
        Write.MERGE: [("key", "unique index", f"({key})")],
        Write.SCD2: [
            ("version", "unique index", f"({key}, _valid_from)"),
            ("current", "unique index", f"({key}) where _is_current"),
        ],
    }.get(load.stream.write, [])
    for suffix, kind, what in indexes:
        index = derived(name, suffix)
        db.execute("select to_regclass($1) is null", (identifier(load.schema_name, index),))
        if db.fetchone()[0]:
            db.execute(f"create {kind} {identifier(index)} on {table.name} {what}")


def derived(stream: str, suffix: str) -> str:
    """Name of what belongs to a stream, of at most 63 bytes: Postgres cuts longer ones, and two may become one."""
    name = f"{stream}_{suffix}"
    return name if len(name) <= 63 else f"{stream[:40]}_{hashlib.sha256(name.encode()).hexdigest()[:12]}_{suffix}"


def analyze(db: Any, table: RawTable, changed: int) -> None:
    """Let the planner know the table anew if much of it changed; autovacuum sees to the rest."""
    db.execute("select reltuples from pg_class where oid = to_regclass($1)", (table.name,))
    if changed * _ANALYZE_SHARE >= max(db.fetchone()[0], 1):
        db.execute(f"analyze {table.name}")
