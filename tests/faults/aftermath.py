"""What must hold when faults are over, whatever they were."""

import hashlib

from datastack.contract.sources import Write
from datastack.lake.manifest import Manifest, Part
from tests.faults.drops import BUCKET
from tests.faults.lanes import Lane
from tests.integration.harness import Stack

_ALL_THERE = (Write.APPEND, Write.REPLACE)  # a load's rows are all there, or none
_LOADS = """
    select loads.load_id, loads.write_disposition, source_rows, lake_rows, quarantined_rows, loaded_rows,
        (select count(*) from {table} as rows where rows._load_id = loads.load_id),
        (select coalesce(sum(rows), 0) from ops.quarantine where quarantine.load_id = loads.load_id)
    from ops.loads as loads where source = %s and stream = %s
"""


def check_lake(stack: Stack) -> None:
    """Every manifest names objects that are there, and are what it says."""
    keys = stack.manifests()
    assert {key.partition("/")[0] for key in keys} == {"landing", "conformed"}
    for key in keys:
        manifest = Manifest.from_json(key, stack.get(key))
        for part in (*manifest.parts, *manifest.quarantine, *manifest.keys):
            _check_part(stack, key, part)


def _check_part(stack: Stack, key: str, part: Part) -> None:
    content = stack.get(part.key)
    assert (len(content), hashlib.sha256(content).hexdigest()) == (part.bytes, part.sha256), f"{part.key} of {key}"


def check_ledger(stack: Stack, lane: Lane) -> None:
    """Counts reconcile from the source to the table, load by load; no row is of no load."""
    loads = stack.rows(_LOADS.format(table=lane.table), lane.source, lane.stream)
    assert loads
    for load_id, write, source, lake, quarantined, loaded, there, set_aside in loads:
        what = f"load {load_id} of {lane.table}"
        assert source == lake + quarantined, what
        assert quarantined == set_aside, what
        assert there <= loaded <= lake, what
        assert write not in _ALL_THERE or there in (0, loaded), what
    assert sum(there for *_, there, _ in loads) == stack.one(f"select count(*) from {lane.table}")


def check_documents(stack: Stack) -> None:
    """The rows on documents are those of the bucket, and name copies that are the same."""
    client = stack.lake.client()
    found = client.list_objects_v2(Bucket=BUCKET, Prefix="leaflets/")["Contents"]
    there = {item["Key"].partition("/")[2]: item["ETag"].strip('"') for item in found}
    rows = stack.rows("select key, etag, sha256, lake_key from raw_leaflets.leaflets where _deleted_at is null")
    assert {key: etag for key, etag, *_ in rows} == there
    for _, _, sha256, lake_key in rows:
        assert hashlib.sha256(stack.get(lake_key)).hexdigest() == sha256
