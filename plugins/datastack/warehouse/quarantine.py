"""What waits in quarantine, and what a run has brought back of it."""

from collections import Counter
from dataclasses import dataclass, field

from datastack.contract.sql import sql
from datastack.warehouse.load import RunRef
from datastack.warehouse.transaction import transaction


@dataclass
class Waiting:
    """Quarantined rows of a stream that can be replayed: parts, rows, and how often each reason occurs."""

    source: str
    stream: str
    parts: int = 0
    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def waiting(uri: str, source: str | None = None, stream: str | None = None) -> list[Waiting]:
    """Ask what can be replayed, by stream.

    :param uri: libpq address of the warehouse.
    :param source: only of this one, if it is given; so is ``stream``.
    :raises WarehouseError: if the warehouse fails.
    """
    found: dict[tuple[str, str], Waiting] = {}
    with transaction(uri, "reading the quarantine") as db:
        db.execute(sql("ops/quarantine_reasons"), (source, stream))
        for of_source, of_stream, rows, reasons in db.fetchall():
            each = found.setdefault((of_source, of_stream), Waiting(of_source, of_stream))
            each.parts, each.rows = each.parts + 1, each.rows + rows
            each.reasons.update(reasons)
    return list(found.values())


def replayed_rows(uri: str, source: str, stream: str, run: RunRef) -> int | None:
    """Rows that all tries of a run have brought back; None if it has replayed nothing of the stream."""
    with transaction(uri, f"reading what was replayed of {source}.{stream}") as db:
        db.execute(sql("ops/replayed_rows"), (source, stream, run.dag_id, run.run_id))
        loads, rows = db.fetchone()
    return int(rows) if loads else None
