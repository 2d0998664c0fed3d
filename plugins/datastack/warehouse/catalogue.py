"""What the warehouse's own catalogue says of a table."""

from typing import Any

from datastack.contract.sql import sql

_SHORT = {
    "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "time without time zone": "time",
}


def found_columns(db: Any, name: str) -> dict[str, tuple[str, bool]]:
    """Columns of a table: contract type, and whether there is a value in every row; none if there is no such table.

    :param name: quoted.
    """
    db.execute(sql("postgres/raw_columns"), (name,))
    return {column: (_SHORT.get(kind, kind), required) for column, kind, required in db.fetchall()}
