"""Arranges a source's streams: extract, conform, copy and gate each of them, then announce them together."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import TaskGroup, XComArg

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
        copy = CopyOperator(task_id="copy", manifest_key=_conformed(names), **names)
        copy >> GateStreamOperator(task_id="gate", **names)
    return group


def _conformed(names: dict[str, str]) -> XComArg:
    """Key of the conformed manifest: databases come typed, an API's answer is kept as received first."""
    if isinstance(load_source(names["source"]).source, DatabaseSource):
        return ExtractDatabaseOperator(task_id="extract", **names).output
    landed = ExtractApiOperator(task_id="extract", **names)
    return ConformOperator(task_id="conform", manifest_key=landed.output, **names).output
