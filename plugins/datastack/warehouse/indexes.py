"""Indexes and statistics of a raw table: those that the next load needs, when they are needed."""

from typing import Any

from datastack.contract.sources import Write
from datastack.contract.sql import identifier, identifiers
from datastack.warehouse.catalogue import found_columns
from datastack.warehouse.load import Load, derived
from datastack.warehouse.raw_table import RawTable

_ANALYZE_SHARE = 10  # a tenth of the table, as autovacuum has it
_STATISTICS_TARGET = 20  # a fifth of the default: 6,000 rows are looked at


def make(db: Any, load: Load, table: RawTable) -> None:
    """Make the indexes that loads of this kind, and their gates, need, where they are missing."""
    key, name = identifiers(load.contract.key), load.contract.stream
    indexes = {
        Write.REPLACE_SLICE: [
            ("cursor", "index", f"({identifier(load.stream.cursor or '')})"),
            ("load", "index", "using brin (_load_id)"),  # gates look for a load's rows; it costs next to nothing
        ],
        Write.APPEND: [("load", "index", "(_load_id)")],
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


def analyze(db: Any, table: RawTable, changed: int) -> None:
    """Let the planner know the table anew if much of it changed, by a small sample.

    A list of columns leaves it to autovacuum to take a larger sample soon after the commit: no load waits for that.
    """
    db.execute("select reltuples from pg_class where oid = to_regclass($1)", (table.name,))
    if changed * _ANALYZE_SHARE >= max(db.fetchone()[0], 1):
        db.execute(f"set local default_statistics_target = {_STATISTICS_TARGET}")
        db.execute(f"analyze {table.name} ({identifiers(list(found_columns(db, table.name)))})")
