"""Arranges a source's streams: move each of them to the warehouse, gate it, then announce them together."""

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import TaskGroup, TriggerRule

from datastack.contract.api_sources import AnyApiStream, ApiSource, ChildTable
from datastack.contract.database_sources import DatabaseSource
from datastack.contract.file_sources import DocumentStream, FileSource, FileStream
from datastack.contract.model import Level
from datastack.contract.registry import Source, load_source
from datastack.operators.arrival import AwaitFilesOperator
from datastack.operators.conform import ConformOperator
from datastack.operators.copy import CopyOperator, LoadingOperator
from datastack.operators.extract_api import ExtractApiOperator
from datastack.operators.extract_database import ExtractDatabaseOperator, PlanChunksOperator, ReadChunksOperator
from datastack.operators.extract_documents import ExtractDocumentsOperator
from datastack.operators.extract_files import ExtractFilesOperator
from datastack.operators.gate import GateStreamOperator
from datastack.operators.move import MoveDatabaseOperator
from datastack.pipelines.assets import raw_assets


def ingest_streams(source: str) -> None:
    """Add one task group a stream to the current DAG, and the task that updates the source's raw assets.

    They are updated together, so that whoever is scheduled on them sees a source whole.
    """
    # A stream without anything new is skipped; one that was loaded is news.
    some = TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS
    announce = EmptyOperator(task_id="announce", outlets=raw_assets(source), trigger_rule=some)
    declared = load_source(source).source
    landed: dict[str, Any] = {}
    loaded: dict[str, LoadingOperator] = {}
    gates: dict[str, GateStreamOperator] = {}
    for stream in declared.parents_first if isinstance(declared, ApiSource) else declared.streams:
        loaded[stream], gates[stream] = _stream(declared, stream, landed)
        gates[stream] >> announce
    _await_references(declared, loaded, gates)


def _await_references(
    declared: Source, loaded: dict[str, LoadingOperator], gates: dict[str, GateStreamOperator]
) -> None:
    """Let a gate look for what rows refer to when that is loaded too.

    What may lack anyway is not waited for, nor is what comes as files: without a new one, its load is skipped.
    """
    for stream, gate in gates.items():
        for column in load_source(declared.name).contracts[stream].stored:
            for reference in column.references:
                is_near = reference.source == declared.name and reference.stream != stream
                if is_near and reference.level is Level.FAIL and not isinstance(declared, FileSource):
                    loaded[reference.stream] >> gate


def _stream(declared: Source, stream: str, landed: dict[str, Any]) -> tuple[LoadingOperator, GateStreamOperator]:
    """Add a stream's tasks; return the one that loads it, and its gate.

    :param landed: what the extract tasks of an API's streams return, by stream.
    """
    names = {"source": declared.name, "stream": stream}
    with TaskGroup(stream):
        if isinstance(declared, FileSource):
            loaded: LoadingOperator = _files(names, declared.streams[stream])
        elif not isinstance(declared, DatabaseSource):
            loaded = _api(names, declared.streams[stream], landed)
        elif (tasks := declared.streams[stream].chunks.tasks) > 1:
            loaded = _spread(names, tasks)
        else:
            loaded = MoveDatabaseOperator(task_id="move", **names)
        gate = GateStreamOperator(task_id="gate", **names)
        loaded >> gate
    return loaded, gate


def _api(names: dict[str, str], stream: AnyApiStream, landed: dict[str, Any]) -> CopyOperator:
    """An API's answer is kept as received, then conformed; a child table is within the answer for another stream."""
    if isinstance(stream, ChildTable):
        key = landed[stream.of]
    else:
        parent = landed[stream.parent.stream] if stream.parent else None
        extract = ExtractApiOperator(task_id="extract", parent_manifest_key=parent, **names)
        key = landed[names["stream"]] = extract.output
    conformed = ConformOperator(task_id="conform", manifest_key=key, **names)
    return CopyOperator(task_id="copy", manifest_key=conformed.output, **names)


def _files(names: dict[str, str], stream: FileStream | DocumentStream) -> CopyOperator:
    """Files are kept as delivered, then conformed; of documents, the warehouse has a row on each."""
    if isinstance(stream, DocumentStream):
        documents = ExtractDocumentsOperator(task_id="extract", **names)
        return CopyOperator(task_id="copy", manifest_key=documents.output, **names)
    landed = ExtractFilesOperator(task_id="extract", **names)
    if stream.wait:
        AwaitFilesOperator(task_id="await", **names) >> landed
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
