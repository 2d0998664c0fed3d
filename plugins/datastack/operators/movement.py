"""Loads a slice: from its manifest, or what has landed of it while the rest is read."""

from collections.abc import Callable, Iterator
from itertools import chain

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
    """Read a slice into the lake and load what has landed meanwhile, in one transaction.

    Rows come from the lake's parts; they commit when the manifest is written and all counts agree.

    :param warehouse: libpq address, as the loader role.
    :param store: writes the manifest.
    """
    lake, parts = extraction.lake, extraction.parts(table)
    first = list(filter(None, [next(parts, None)]))  # with it, the columns are known
    written: list[Manifest] = []
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
        yield from read_batches(lake, chain(first, parts))
        manifest = extraction.finish(table)
        written.append(manifest)
        store(manifest)
        load.seal(content_of(lake, manifest))

    def keys() -> Iterator[pa.RecordBatch]:
        yield from read_batches(lake, written[0].keys)

    return load, postgres.copy(warehouse, load, rows(), keys() if load.compares_keys else None)
