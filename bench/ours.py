"""The engine as a contender: the one place of the bench that knows its entry points, those below Airflow's operators.

Run as ``python -m bench.ours move|extract|load STREAM…``. ``load`` takes the manifest's key, which ``extract`` reports,
behind the stream. Drivers are imported, kernels compiled and declarations read before the clock starts, as when a task
begins.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from bench.addresses import Addresses
from bench.child import timed
from bench.declarations import SOURCE, WINDOW
from datastack.codec.warm import compile_copying
from datastack.contract.privacy import Pseudonymiser
from datastack.contract.registry import load_source
from datastack.contract.slice import Slice
from datastack.lake.checkpoint import Checkpoint
from datastack.lake.layout import Zone
from datastack.lake.store import Bucket, LakeStore, s3
from datastack.operators.extraction import Extraction, new_plan
from datastack.operators.movement import copy_manifest, move
from datastack.source.database import OpenTable, Scan, SourceColumn, open_table
from datastack.warehouse.load import Outcome, RunRef

RUN = RunRef("bench", "bench", 1)
DRIVERS = ("asyncpg", "psycopg", "uvloop")


def main(action: str, *arguments: str) -> None:
    """Do one thing and report it; several streams are moved one after the other."""
    at = Addresses.from_environment()
    endpoint = urlsplit(at.s3_endpoint)
    bucket = Bucket(s3(at.s3_access_key, at.s3_secret_key, None, "us-east-1", endpoint.geturl()), at.bucket)
    lake = LakeStore(lake=bucket, landing=bucket)
    load_source(SOURCE)
    compile_copying()
    for driver in DRIVERS:
        importlib.import_module(driver)
    with timed() as report:
        if action == "extract":
            report["manifest_key"] = extract(at, lake, *arguments)
        elif action == "load":
            report["steps"] = _steps([load(at, lake, *arguments)])
        else:
            report["steps"] = _steps([move_stream(at, lake, stream) for stream in arguments])


def move_stream(at: Addresses, lake: LakeStore, stream: str) -> Outcome:
    """Move a table through the lake into the warehouse."""
    with opened(at, lake, stream) as (extraction, table):
        key = extraction.place.manifest(Zone.CONFORMED)
        _, outcome = move(extraction, table, at.loader, RUN, lambda manifest: lake.write_manifest(key, manifest))
    extraction.checkpoint.end()
    return outcome


def extract(at: Addresses, lake: LakeStore, stream: str) -> str:
    """Move a table to the lake; return its manifest's key."""
    with opened(at, lake, stream) as (extraction, table):
        extraction.read_all(table)
        key = extraction.place.manifest(Zone.CONFORMED)
        lake.write_manifest(key, extraction.finish(table))
    extraction.checkpoint.end()
    return key


def load(at: Addresses, lake: LakeStore, stream: str, key: str) -> Outcome:
    """Move a manifest's rows from the lake to the warehouse."""
    declared = load_source(SOURCE)
    manifest = lake.read_manifest(key)
    contract, how = declared.contracts[stream], declared.source.streams[stream]
    return copy_manifest(lake, contract, how, key, manifest, at.loader, RUN)[1]


@contextmanager
def opened(at: Addresses, lake: LakeStore, stream: str) -> Iterator[tuple[Extraction, OpenTable]]:
    """Open a table and plan its chunks, as the operators do."""
    declared, window = load_source(SOURCE), Slice.parse(*WINDOW)
    contract, how = declared.contracts[stream], declared.source.streams[stream]
    columns = tuple(SourceColumn(column.path, column.type) for column in contract.columns)
    checkpoint = Checkpoint(lake, SOURCE, stream, window, "bench")
    with open_table("postgres", at.source, Scan(how.table, columns, contract.key)) as table:
        plan = new_plan(contract, table.chunks(how.chunks.rows), None)
        checkpoint.begin(plan)
        yield Extraction(lake, contract, how, window, Pseudonymiser(bytes(32)), checkpoint, plan, plan.begun_at), table


def _steps(outcomes: list[Outcome]) -> dict[str, Any]:
    names = {name for outcome in outcomes for name in outcome.seconds}
    return {name: round(sum(outcome.seconds.get(name, 0) for outcome in outcomes), 2) for name in sorted(names)}


if __name__ == "__main__":
    main(*sys.argv[1:])
