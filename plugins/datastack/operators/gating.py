"""Runs one gate and keeps what came of it: results, samples of failing rows, and how far a stream has passed."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from datastack.contract.errors import DeclarationError
from datastack.contract.model import Contract
from datastack.contract.privacy import MASKED
from datastack.contract.sources import Stream, Write
from datastack.quality.derive import NewSlice, Scope, digest, soda_contract
from datastack.quality.gate import Warehouse, run_gate
from datastack.quality.outcomes import CheckResult, GateReport, Note
from datastack.warehouse import gate_results
from datastack.warehouse.gate_results import Gated, Mark
from datastack.warehouse.load import RunRef, WarehouseError

_OWN = frozenset({"_load_id", "_extracted_at", "_valid_from", "_valid_to", "_is_current", "_deleted_at", "rows"})
_LONGEST = 200  # characters of a value in a sample
_DISTURBED = 5  # times that a gate is run again as another run loaded its stream meanwhile
_log = logging.getLogger("airflow.task")

Sample = tuple[list[dict[str, Any]], str]


@dataclass(frozen=True)
class Gate:
    """A Soda contract to run, and what is to be known of it.

    ``readable`` gives the columns that samples may show. ``mark`` is set if the gate is open. ``anew`` is the gate as
    it would be now, where loads may come while it runs.
    """

    contract: dict[str, Any]
    notes: Mapping[str, Note]
    readable: Callable[[], Iterable[str]]
    version: str | None = None
    load_ids: tuple[int, ...] = ()
    mark: Mark | None = None
    anew: "Callable[[], Gate] | None" = None


def stream_gate(uri: str, contract: Contract, stream: Stream, dataset: str, today: date) -> Gate:
    """Gate on the rows of a stream that have not passed it: all rows, if that was by another contract.

    If all have, which is so when a run is cleared, all are looked at again.

    :raises WarehouseError: if the ledger can't be read.
    """
    names, versions = (contract.source, contract.stream), stream.write is Write.SCD2
    state = gate_results.gate_state(uri, *names)
    amounts_to = digest(contract, today, versions)
    scope = Scope()
    if state.digest == amounts_to and state.load_ids:
        scope = Scope(state.passed, max(state.load_ids), state.standing_rows)
    _log.info("%s.%s: %s", *names, _told(scope, state.digest, amounts_to))
    referred = [f"{each.source}.{each.stream}" for column in contract.stored for each in column.references]
    weeks = contract.band.weeks if contract.band else 0
    usual = gate_results.trailing_rows(uri, *names, state.passed, weeks) if weeks else []
    scope = Scope(
        scope.after,
        scope.through,
        scope.rows,
        state.loaded_until,
        tuple(NewSlice(each.start, each.end, each.load_ids, each.slices, each.median) for each in usual),
        gate_results.loaded_streams(uri, referred),
    )
    last = max(state.load_ids, default=state.passed)
    derived = soda_contract(contract, dataset, scope, versions)
    return Gate(
        derived.content,
        derived.notes,
        lambda: [column.name for column in contract.stored if column.privacy is None],
        contract.version,
        state.load_ids,
        Mark(*names, last, amounts_to) if last else None,
        partial(stream_gate, uri, contract, stream, dataset, today),
    )


def _told(scope: Scope, passed_by: str | None, amounts_to: str) -> str:
    if scope.through is not None:
        return f"checking the {scope.rows} rows of loads {(scope.after or 0) + 1} to {scope.through}"
    if passed_by is None:
        return "checking the whole table: it has never passed its gate"
    if passed_by != amounts_to:
        return "checking the whole table: its contract, or a waiver of it, is not what it passed by"
    return "checking the whole table: every load has passed before"


def run(uri: str, gate: Gate, warehouse: Warehouse, task: str, ref: RunRef, today: date) -> GateReport:
    """Run a gate and keep its results; log what is to be seen.

    :raises WarehouseError: if the gate is open, but that can't be recorded.
    """
    gate, report = _run_undisturbed(gate, warehouse, today)
    samples = [_sample(uri, gate, result) for result in report.results]
    gated = Gated(task, report.dataset, ref, gate.version, gate.load_ids)
    try:
        mark = None if report.closed_because else gate.mark
        ids = gate_results.record_gate(uri, gated, [_row(each) for each in report.results], samples, mark)
    except WarehouseError as error:
        if not report.closed_because:
            raise
        return report.closed_also(f"its results could not be stored: {error}")
    for result, sample, result_id in zip(report.results, samples, ids, strict=True):
        _tell(report, result, sample, result_id)
    return report


def _run_undisturbed(gate: Gate, warehouse: Warehouse, today: date) -> tuple[Gate, GateReport]:
    """Run a gate; again if it closed while the stream was loaded: rows that it missed may have given way."""
    report = run_gate(gate.contract, warehouse, today, gate.notes)
    for _ in range(_DISTURBED):
        if not report.closed_because or gate.anew is None:
            break
        now = gate.anew()
        if now.load_ids == gate.load_ids:
            break
        _log.info("%s was loaded while it was checked, so it is checked again", report.dataset)
        gate, report = now, run_gate(now.contract, warehouse, today, now.notes)
    return gate, report


def _row(result: CheckResult) -> dict[str, Any]:
    fields = {name: getattr(result, name) for name in CheckResult.__dataclass_fields__}
    return fields | {"waiver": result.waiver and result.waiver.model_dump(mode="json", exclude={"check"})}


def _sample(uri: str, gate: Gate, result: CheckResult) -> Sample | None:
    """Some of the rows that a check found, what is personal or unknown masked; None if there are none to show."""
    if not (result.found_something and result.failing):
        return None
    try:
        rows = gate_results.sample(uri, result.failing)
        shown = _OWN | frozenset(gate.readable())
    except (WarehouseError, DeclarationError) as error:  # the outcome stands, with or without a sample
        _log.warning("%s: no sample of its rows: %s", result.name, error)
        return None
    return [{name: _shown(value, name in shown) for name, value in row.items()} for row in rows], result.failing


def _shown(value: Any, may: bool) -> Any:
    if value is None or (may and not isinstance(value, str)):
        return value
    return value[:_LONGEST] if may else MASKED


def _tell(report: GateReport, result: CheckResult, sample: Sample | None, result_id: int) -> None:
    if result.outcome == "PASSED" and not result.detail:
        return
    level = logging.INFO if result.outcome == "PASSED" and result.waiver is None else logging.WARNING
    _log.log(level, "%s: %s", report.dataset, result)
    if sample:
        query = f"select rows from ops.gate_samples where gate_result_id = {result_id}"  # noqa: S608 a number
        _log.log(level, "%d of its rows, personal columns masked, as loader: %s", len(sample[0]), query)
