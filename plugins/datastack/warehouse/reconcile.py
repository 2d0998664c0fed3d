"""Sees that what arrived in the warehouse is what the lake holds: rows and checksum, before anything commits."""

import time
from typing import Any

from datastack.codec.checksum import MODULUS, checksum_column
from datastack.contract.sql import identifier, sql
from datastack.warehouse.load import Load, WarehouseError
from datastack.warehouse.rows import Rows


def reconcile(db: Any, load: Load, rows: Rows, table: str, condition: str = "true") -> int:
    """Compare the load's rows in a table with those that the lake holds; return how many there are.

    Postgres sums their hashes itself, see :mod:`datastack.codec.checksum`; the manifest has the sum of what was
    extracted, and the SHA-256 of each part.

    :param table: quoted name of the table that the rows were copied into.
    :param condition: SQL that holds for the load's rows and no others.
    :raises WarehouseError: if another number of rows arrived, or other values. It undoes the load.
    """
    begun, expected = time.monotonic(), load.sealed
    columns = ", ".join(checksum_column(identifier(name), kind) for name, kind in rows.types.items())
    db.execute(sql("postgres/checksum", columns=columns, table=table, condition=condition))
    found, total = db.fetchone()
    total = int(total) % MODULUS
    rows.seconds["reconcile"] = time.monotonic() - begun
    if found != expected.lake_rows or rows.count != expected.lake_rows:
        raise WarehouseError(
            f"loading {load}: {found} rows arrived in the warehouse, its manifest says {expected.lake_rows}. "
            "Nothing was changed; are there rows outside of the slice?"
        )
    if expected.checksum not in (None, str(total)):
        raise WarehouseError(
            f"loading {load}: the rows in the warehouse (checksum {total}) are not those of the manifest "
            f"{load.manifest_key} ({expected.checksum}). Nothing was changed; does a trigger or a rule alter rows on "
            "their way into the table? Else clear the task that wrote the manifest, to read the slice anew"
        )
    return int(found)
