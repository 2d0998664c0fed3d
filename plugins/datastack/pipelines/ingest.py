"""Arranges a source's streams: move each of them to the warehouse, gate it, then announce them together."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import TaskGroup

from datastack.contract.database_sources import DatabaseSource
from datastack.contract.registry import load_source
from datastack.operators.conform import ConformOperator
from datastack.operators.copy import CopyOperator, LoadingOperator
from datastack.operators.extract_api import ExtractApiOperator
from datastack.operators.extract_database import ExtractDatabaseOperator, PlanChunksOperator, ReadChunksOperator
from datastack.operators.gate import GateStreamOperator
from datastack.operators.move import MoveDatabaseOperator
from datastack.pipelines.assets import raw_assets


def ingest_streams(source: str) -> None:
    """Add one task group a stream to the current DAG, and the task that updates the source's raw assets.

    They are updated together, so that whoever is scheduled on them sees a source whole.
    """
    announce = EmptyOperator(task_id="announce", outlets=raw_assets(source))
    for stream in load_source(source).source.streams:
        _stream(source, stream) >> announce


def _stream(source: str, stream: str) -> TaskGroup:
    names = {"source": source, "stream": stream}
    declared = load_source(source).source
    with TaskGroup(stream) as group:
        if not isinstance(declared, DatabaseSource):
            loaded: LoadingOperator = _api(names)
        elif (tasks := declared.streams[stream].chunks.tasks) > 1:
            loaded = _spread(names, tasks)
        else:
            loaded = MoveDatabaseOperator(task_id="move", **names)
        loaded >> GateStreamOperator(task_id="gate", **names)
    return group


def _api(names: dict[str, str]) -> CopyOperator:
    """An API's answer is kept as received, then conformed."""
    landed = ExtractApiOperator(task_id="extract", **names)
    conformed = ConformOperator(task_id="conform", manifest_key=landed.output, **names)
    return CopyOperator(task_id="copy", manifest_key=conformed.output, **names)


def _spread(names: dict[str, str], tasks: int) -> CopyOperator:
    """A table's chunks are read by several tasks; the last one sees that they make one snapshot."""
    plan = PlanChunksOperator(task_id="plan", **names)
    read = ReadChunksOperator.partial(
        task_id="read", max_active_tis_per_dagrun=tasks, map_index_template="chunks {{ task.chunks }}", **names
    ).expand(chunks=plan.output)
    extract = ExtractDatabaseOperator(task_id="extract", **names)
    read >> extract
    return CopyOperator(task_id="copy", manifest_key=extract.output, **names)
