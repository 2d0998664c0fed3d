"""Loads a slice: from its manifest, or while it is read."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pyarrow as pa

from datastack.contract.model import Contract
from datastack.contract.sources import Stream
from datastack.lake.layout import Zone
from datastack.lake.manifest import Manifest
from datastack.lake.parts import read_batches
from datastack.lake.store import LakeStore
from datastack.operators.extraction import Extraction
from datastack.operators.loading import content_of, load_of, rows_schema
from datastack.source.database import OpenTable
from datastack.warehouse import postgres
from datastack.warehouse.load import Load, Outcome, RunRef


def copy_manifest(
    lake: LakeStore, contract: Contract, stream: Stream, key: str, manifest: Manifest, warehouse: str, run: RunRef
) -> tuple[Load, Outcome]:
    """Load what a manifest names, in one transaction.

    :param warehouse: libpq address, as the loader role.
    """
    load = load_of(contract, stream, lake, key, manifest, run)
    keys = read_batches(lake, manifest.keys) if load.compares_keys else None
    return load, postgres.copy(warehouse, load, read_batches(lake, manifest.parts), keys)


def move(
    extraction: Extraction, table: OpenTable, warehouse: str, run: RunRef, store: Callable[[Manifest], str]
) -> tuple[Load, Outcome]:
    """Read a slice into the lake and load it on the way, in one transaction.

    What earlier tries have read comes from the lake. Rows commit when all stand there, the manifest is written, and
    all counts agree.

    Raises what :meth:`Extraction.keep`, :meth:`Extraction.batches` and :func:`datastack.warehouse.postgres.copy` raise.

    :param warehouse: libpq address, as the loader role.
    :param store: writes the manifest.
    """
    lake, kept = extraction.lake, extraction.keep(table)
    written: list[Manifest] = []
    with closing(extraction.batches(table)) as batches:
        first = list(filter(None, [next(batches, None)]))  # with it, the columns are known
        load = Load(
            contract=extraction.contract,
            stream=extraction.stream,
            slice=extraction.window,
            attempt=extraction.plan.attempt,
            manifest_key=extraction.place.manifest(Zone.CONFORMED),
            extracted_at=extraction.extracted_at,
            run=run,
            rows_schema=rows_schema(extraction.columns),
            evolved=extraction.evolved,
        )

        def rows() -> Iterator[pa.RecordBatch]:
            yield from first
            yield from read_batches(lake, kept)
            yield from batches
            manifest = extraction.finish(table)
            written.append(manifest)
            store(manifest)
            load.seal(content_of(lake, manifest))

        def keys() -> Iterator[pa.RecordBatch]:
            yield from read_batches(lake, written[0].keys)

        return load, postgres.copy(warehouse, load, rows(), keys() if load.compares_keys else None)
