"""Arranges a source's streams: extract, conform, copy and gate each of them, then announce them together."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import TaskGroup

from datastack.contract.registry import load_source
from datastack.contract.sources import DatabaseSource
from datastack.operators.conform import ConformOperator
from datastack.operators.copy import CopyOperator
from datastack.operators.extract import ExtractApiOperator, ExtractDatabaseOperator
from datastack.operators.gate import GateStreamOperator
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
    with TaskGroup(stream) as group:
        if isinstance(load_source(source).source, DatabaseSource):
            conformed = ExtractDatabaseOperator(task_id="extract", **names)
        else:
            landed = ExtractApiOperator(task_id="extract", **names)
            conformed = ConformOperator(task_id="conform", manifest_key=landed.output, **names)
        copied = CopyOperator(task_id="copy", manifest_key=conformed.output, **names)
        copied >> GateStreamOperator(task_id="gate", **names)
    return group
