"""Lineage of real moves: names that join up from source to raw table, with what was measured."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from datastack.operators.conform import ConformOperator
from datastack.operators.copy import CopyOperator
from datastack.operators.extract_api import ExtractApiOperator
from datastack.operators.extract_database import ExtractDatabaseOperator
from datastack.operators.gate import GateStreamOperator
from datastack.operators.move import MoveDatabaseOperator
from local import airflow_env
from local.settings import Settings
from tests.integration.harness import Servers, Stack, days

NOVEMBER = days(1, 29)


def names(datasets: list[Any]) -> list[tuple[str, str]]:
    return [(dataset.namespace, dataset.name) for dataset in datasets]


def run_chain(stack: Stack, source: str, stream: str) -> list[Any]:
    """Run a stream's tasks; return the lineage of each, in order."""
    named = {"source": source, "stream": stream}
    if source == "retail_db":
        moves = [ExtractDatabaseOperator(task_id="extract", **named)]
        key = stack.run(moves[0], NOVEMBER)
    else:
        moves = [ExtractApiOperator(task_id="extract", **named)]
        moves.append(ConformOperator(task_id="conform", manifest_key=stack.run(moves[0], NOVEMBER), **named))
        key = stack.run(moves[1])
    moves += [CopyOperator(task_id="copy", manifest_key=key, **named), GateStreamOperator(task_id="gate", **named)]
    for move in moves[-2:]:
        stack.run(move)
    return [move.get_openlineage_facets_on_complete(None) for move in moves]


def test_a_table_is_one_chain_of_names(stack: Stack):
    extract, copy, gate = run_chain(stack, "retail_db", "transactions")
    source = (f"postgres://127.0.0.1:{stack.source.port}", "retail_db.public.transactions")
    raw = (f"postgres://127.0.0.1:{stack.warehouse.port}", "warehouse.raw_retail_db.transactions")
    assert names(extract.inputs) == [source]
    assert names(extract.outputs) == names(copy.inputs) == [("s3://lake", "conformed/retail_db/transactions/v1")]
    assert names(copy.outputs) == names(gate.inputs) == [raw]


def test_a_move_names_source_lake_and_warehouse(stack: Stack):
    operator = MoveDatabaseOperator(task_id="move", source="retail_db", stream="households")
    stack.run(operator, NOVEMBER)
    facets = operator.get_openlineage_facets_on_complete(None)
    source = (f"postgres://127.0.0.1:{stack.source.port}", "retail_db.public.households")
    lake = ("s3://lake", "conformed/retail_db/households/v1")
    raw = (f"postgres://127.0.0.1:{stack.warehouse.port}", "warehouse.raw_retail_db.households")
    assert names(facets.inputs) == [source]
    assert names(facets.outputs) == [lake, raw]
    for output, origin in zip(facets.outputs, (source, lake), strict=True):
        [field] = output.facets["columnLineage"].fields["household_id"].inputFields
        assert (field.namespace, field.name, field.field) == (*origin, "household_id")
        statistics = output.outputFacets["outputStatistics"]
        assert (statistics.rowCount, statistics.size > 0) == (60, True)


def test_an_endpoint_is_one_chain_of_names(stack: Stack):
    extract, conform, copy, gate = run_chain(stack, "marketing_api", "campaigns")
    assert names(extract.inputs) == [(str(stack.servers.api.base_url).rstrip("/"), "/campaigns")]
    assert names(extract.outputs) == names(conform.inputs) == [("s3://landing", "landing/marketing_api/campaigns/v1")]
    assert names(conform.outputs) == names(copy.inputs) == [("s3://lake", "conformed/marketing_api/campaigns/v1")]
    assert names(copy.outputs) == names(gate.inputs)


@pytest.mark.parametrize(
    ("source", "stream", "rows"), [("retail_db", "transactions", 580), ("marketing_api", "campaigns", 27)]
)
def test_every_output_tells_its_rows_and_bytes(stack: Stack, source: str, stream: str, rows: int):
    *moves, _ = run_chain(stack, source, stream)
    for move in moves:
        statistics = move.outputs[0].outputFacets["outputStatistics"]
        assert statistics.rowCount == rows
        assert statistics.size > 0


def test_columns_are_connected(stack: Stack):
    extract, copy, _ = run_chain(stack, "retail_db", "households")
    for move in (extract, copy):
        fields = move.outputs[0].facets["columnLineage"].fields
        [origin] = fields["household_id"].inputFields
        assert (origin.namespace, origin.name, origin.field) == (*names(move.inputs)[0], "household_id")
        assert {field.name for field in move.outputs[0].facets["schema"].fields} == set(fields)


def test_a_gate_tells_each_check(stack: Stack):
    *_, gate = run_chain(stack, "retail_db", "transactions")
    assertions = gate.inputs[0].inputFacets["dataQualityAssertions"].assertions
    assert len(assertions) == stack.one("select count(*) from ops.gate_results")
    failed = [(one.column, one.severity, one.params) for one in assertions if not one.success]
    nothing_loaded = {"outcome": "WARN"}  # that these could refer to
    assert failed == [("household_id", "warn", nothing_loaded), ("product_id", "warn", nothing_loaded)]
    kinds = {"row_count", "missing", "failed_rows", "metric", "invalid", "schema"}
    assert kinds == {one.assertion for one in assertions}


def test_a_failed_move_is_on_the_graph_too(stack: Stack):
    copy = CopyOperator(task_id="copy", manifest_key="conformed/gone", source="retail_db", stream="transactions")
    with pytest.raises(ValueError, match="conformed/gone"):
        stack.run(copy)
    failed = copy.get_openlineage_facets_on_failure(None)
    assert names(failed.inputs) == [("s3://lake", "conformed/retail_db/transactions/v1")]
    assert failed.outputs[0].outputFacets["outputStatistics"].rowCount == 0


@contextmanager
def refusing() -> Iterator[str]:
    """Address where nothing listens."""
    yield "http://127.0.0.1:1"


@contextmanager
def silent() -> Iterator[str]:
    """Address that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("backend", [refusing, silent])
def test_a_dead_backend_costs_a_task_under_two_seconds(
    backend: Any, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

    settings = Settings.load({"DATASTACK_STATE": str(tmp_path)})
    settings.make_folders()
    with backend() as url:
        monkeypatch.setenv("OPENLINEAGE_URL", url)
        transport = json.loads(airflow_env.airflow_env(settings, servers.secrets)["AIRFLOW__OPENLINEAGE__TRANSPORT"])
        monkeypatch.delenv("OPENLINEAGE_URL")
        client = OpenLineageClient(config={"transport": transport})
        started = time.monotonic()
        for state in (RunState.START, RunState.COMPLETE):
            run = Run(runId="01941f29-7c00-7000-8000-000000000000")
            client.emit(
                RunEvent(eventType=state, eventTime=datetime.now(UTC).isoformat(), run=run, job=Job("datastack", "x"))
            )
        client.close()
        assert time.monotonic() - started < 2
    events = [json.loads(line) for line in settings.lineage_file.read_text().splitlines()]
    assert [event["eventType"] for event in events] == ["START", "COMPLETE"]
