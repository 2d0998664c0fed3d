"""Keeps what gates measured, some of the rows that they found, and how far a stream has passed its gate."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from datastack.contract.sql import identifier, sql
from datastack.warehouse.load import RunRef
from datastack.warehouse.transaction import transaction

SAMPLE_ROWS = 20
_SAMPLE_TIME = "60s"


@dataclass(frozen=True)
class Gated:
    """A gate of a run: a task's name, the dataset, the data contract's version and the loads that it is about."""

    gate: str
    dataset: str
    run: RunRef
    contract_version: str | None = None
    load_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Mark:
    """How far a stream has passed its gate: all loads up to ``load_id``, by the contract of this digest."""

    source: str
    stream: str
    load_id: int
    contract_digest: str


@dataclass(frozen=True)
class GateState:
    """What the ledger says before a stream's gate.

    ``passed`` is the last load that passed, 0 if none did, by the contract of ``digest``. ``load_ids`` are those after
    it, ``standing_rows`` how many rows of theirs stand. ``loaded_until`` is the end of the newest slice, or when that
    was read, if it had not ended.
    """

    passed: int
    digest: str | None
    load_ids: tuple[int, ...]
    standing_rows: int
    loaded_until: datetime | None


@dataclass(frozen=True)
class TrailingRows:
    """A slice that was loaded, and the median of the ``slices`` slices of its length in the weeks before it."""

    start: datetime
    end: datetime
    load_ids: tuple[int, ...]
    slices: int
    median: float | None


def gate_state(uri: str, source: str, stream: str) -> GateState:
    """Ask what a stream's gate has to look at.

    :raises WarehouseError: if the warehouse fails.
    """
    with transaction(uri, f"reading how far {source}.{stream} has passed its gate") as db:
        db.execute(sql("ops/gate_state"), (source, stream))
        passed, digest, load_ids, rows, until = db.fetchone()
    return GateState(passed, digest, tuple(load_ids), rows, until)


def trailing_rows(uri: str, source: str, stream: str, after: int, weeks: int) -> list[TrailingRows]:
    """Ask for the slices that were loaded after a load, each with what was usual before it.

    :raises WarehouseError: if the warehouse fails.
    """
    with transaction(uri, f"reading how many rows {source}.{stream} usually has") as db:
        db.execute(sql("ops/trailing_rows"), (source, stream, after, timedelta(weeks=weeks)))
        return [TrailingRows(start, end, tuple(ids), slices, median) for start, end, ids, slices, median in db]


def planned_loads(uri: str, domain: str) -> tuple[int, ...]:
    """Ask which loads a domain's transform takes.

    :raises WarehouseError: if the warehouse fails.
    """
    with transaction(uri, f"reading the plan of {domain}") as db:
        db.execute("select load_id from ops.plan_loads where domain = $1 order by load_id", (domain,))
        return tuple(load_id for (load_id,) in db.fetchall())


def loaded_streams(uri: str, streams: Sequence[str]) -> frozenset[str]:
    """Ask which of these streams, as ``source.stream``, have a raw table.

    :raises WarehouseError: if the warehouse fails.
    """
    with transaction(uri, "reading which streams were loaded") as db:
        tables = {name: identifier(*f"raw_{name}".split(".")) for name in streams}
        return frozenset(name for name, table in tables.items() if _exists(db, table))


def _exists(db: Any, table: str) -> bool:
    db.execute("select to_regclass($1) is not null", (table,))
    return bool(db.fetchone()[0])


def sample(uri: str, query: str) -> list[dict[str, Any]]:
    """Some of the rows that a query finds, as they are; nothing is changed by it.

    :raises WarehouseError: if the warehouse fails, or takes longer than a minute.
    """
    with transaction(uri, "reading a sample of failing rows") as db:
        db.execute("set transaction read only")
        db.execute(f"set local statement_timeout = '{_SAMPLE_TIME}'")
        db.execute(sql("gates/sample", query=query, rows=str(SAMPLE_ROWS)))
        return [row for (row,) in db.fetchall()]


def record_gate(
    uri: str, gated: Gated, results: Sequence[dict[str, Any]], samples: Sequence[Any], mark: Mark | None = None
) -> list[int]:
    """Store one gate's results, with samples and, if it is open, how far the stream has passed; return their ids.

    :param results: mappings with name, type, column, outcome, level, value, low, high, threshold, measured, detail and
        waiver.
    :param samples: for each result None, or rows and the query that found them.
    :raises WarehouseError: if they can't be stored; none is then.
    """
    run, ids = gated.run, []
    with transaction(uri, f"storing the results of gate {gated.gate} on {gated.dataset}") as db:
        for result, found in zip(results, samples, strict=True):
            db.execute(sql("ops/insert_gate_result"), _values(gated, result))
            ids.append(db.fetchone()[0])
            if found:
                rows, query = found
                db.execute(sql("ops/insert_gate_sample"), (ids[-1], json.dumps(rows, default=str), query))
        if mark:
            where = (mark.source, mark.stream, mark.load_id, mark.contract_digest)
            db.execute(sql("ops/upsert_gate_mark"), (*where, run.dag_id, run.run_id, run.try_number))
    return ids


def _values(gated: Gated, result: dict[str, Any]) -> tuple[Any, ...]:
    run, waiver = gated.run, result["waiver"]
    return (
        gated.gate,
        gated.dataset,
        result["name"],
        result["type"],
        result["column"],
        result["outcome"],
        json.dumps(result["measured"], default=str),
        result["threshold"],
        run.dag_id,
        run.run_id,
        run.try_number,
        result["level"],
        result["value"],
        result["low"],
        result["high"],
        result["detail"],
        None if waiver is None else json.dumps(waiver, default=str),
        gated.contract_version,
        list(gated.load_ids),
    )
