"""What is in quarantine is conformed once more as if it had just been received, whatever it was."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from datastack.contract.conform import Conformed, Conformer
from datastack.contract.model import Column, Contract, Drift
from datastack.contract.privacy import Pseudonymiser
from datastack.contract.received import Received, Records, Unreadable
from datastack.contract.slice import Slice
from datastack.lake.layout import Place, Zone
from datastack.lake.manifest import Written
from datastack.lake.store import Bucket, LakeStore
from datastack.operators.conforming import quarantined, store_conformed
from tests.unit.codec.rows import PLAIN, batches, bits

PLACE = Place("s", "t", 1, Slice(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)), "a1")
REPEATED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)


@pytest.fixture
def lake(tmp_path: Path) -> LakeStore:
    for zone in Zone:
        (tmp_path / "lake" / PLACE.prefix(zone)).mkdir(parents=True)
    bucket = Bucket(pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem()), "lake")
    return LakeStore(lake=bucket, landing=bucket)


def conformer(*columns: tuple[str, ...], version: str = "1.0.0", drift: Drift = Drift.DISCARD) -> Conformer:
    declared = [Column(name=name, type=type_, description="d", path=(*path, name)[0]) for name, type_, *path in columns]
    contract = Contract(
        source="s", stream="t", version=version, description="d", grain="g", owner="o", columns=declared,
        minimum_rows=1, drift=drift, file="t.odcs.yaml",
    )  # fmt: skip
    return Conformer(contract, Pseudonymiser(b"0123456789abcdef"))


def stored(lake: LakeStore, made: Conformer, received: list[Received]) -> Written:
    rows = (conformed for each in received for conformed in made.received(each))
    return store_conformed(lake, PLACE, made, rows, landing="landing/m.json")


def again(lake: LakeStore, written: Written, fixed: Conformer) -> list[Conformed]:
    parts = [part.key for part in written.quarantine]
    return [done for key in parts for received in quarantined(lake, key) for done in fixed.received(received)]


@REPEATED
@given(batch=batches(PLAIN))
def test_typed_rows_of_every_type(lake: LakeStore, batch: pa.RecordBatch):
    kinds = [(f"c{at}", kind) for at, kind in enumerate(PLAIN)]
    batch = batch.append_column("bad", pa.array(["x"] * batch.num_rows, pa.string()))
    written = stored(lake, conformer(*kinds, ("bad", "bigint")), [Received(batch, "typed")])
    assert (written.rows, written.quarantined_rows) == (0, batch.num_rows)
    fixed = conformer(*kinds, ("bad", "text"))
    direct = fixed.batch(batch)
    replayed = [each.accepted for each in again(lake, written, fixed) if each.accepted.num_rows]
    assert [row for each in replayed for row in zip(*bits(each), strict=True)] == [
        *zip(*bits(direct.accepted), strict=True)
    ]


def test_typed_rows_whose_columns_change_their_type_on_the_way(lake: LakeStore):
    """A numeric that fits no decimal makes its batch one of texts."""
    decimals = pa.record_batch({"n": pa.array([1, 2], pa.int64()), "bad": ["x", "y"]})
    texts = pa.record_batch({"n": ["3", "NaN"], "bad": ["x", "y"]})
    written = stored(
        lake, conformer(("n", "numeric"), ("bad", "bigint")), [Received(each, "typed") for each in (decimals, texts)]
    )
    assert [part.rows for part in written.quarantine] == [2, 2]
    replayed = again(lake, written, conformer(("n", "numeric"), ("bad", "text")))
    assert [row["n"] for each in replayed for row in each.accepted.to_pylist()] == ["1", "2", "3", "NaN"]


def test_rows_of_texts(lake: LakeStore):
    batch = pa.record_batch({"yes": ["t", "maybe"], "n": ["+007", None], "doc": ['{"a": 1.50}', "[]"]})
    first = conformer(("yes", "boolean"), ("n", "smallint"), ("doc", "bigint"))
    written = stored(lake, first, [Received(batch, "texts", object="landing/x.csv", first=2)])
    [rejected] = pq.read_table(pa.BufferReader(lake.read(written.quarantine[0].key))).select(["number"]).columns
    assert rejected.to_pylist() == [2, 3]
    [replayed] = again(lake, written, conformer(("yes", "boolean"), ("n", "smallint"), ("doc", "jsonb")))
    assert replayed.accepted.to_pylist() == [{"yes": True, "n": 7, "doc": '{"a": 1.50}'}]
    assert replayed.rejected.column("reason").to_pylist() == ["yes: 'maybe' is not of type boolean"]


DOCUMENTS = [
    (Records(), b'{"v": 1.50, "w": "caf\\u00e9"}'),
    (Records("data"), b'{"data": [{"v": 1.50, "w": "caf\\u00e9"}]}'),
]


@pytest.mark.parametrize(("records", "document"), DOCUMENTS)
def test_records_of_documents(lake: LakeStore, records: Records, document: bytes):
    received = Received(pa.record_batch({"d": pa.array([document], pa.binary())}), "documents", records=records)
    written = stored(lake, conformer(("v", "bigint"), ("w", "text")), [received])
    [replayed] = again(lake, written, conformer(("v", "numeric"), ("w", "text")))
    assert replayed.accepted.to_pylist() == [{"v": "1.50", "w": "café"}]


def test_records_of_children_keep_what_encloses_them(lake: LakeStore):
    line = json.dumps(
        {"data": [{"id": 7, "at": {"day": "2026-01-01"}, "items": [{"v": "x"}, {"v": 1}]}, {"items": [{}]}]}
    )
    columns = (("id", "bigint", "^.id"), ("day", "date", "^.at.day"))
    records = Records("items", within="data")
    received = Received(pa.record_batch({"d": [line]}), "documents", records=records)
    written = stored(lake, conformer(*columns, ("v", "date")), [received])
    assert (written.rows, written.quarantined_rows) == (1, 2)
    [replayed] = again(lake, written, conformer(*columns, ("v", "jsonb")))
    assert [(row["id"], str(row["day"]), row["v"]) for row in replayed.accepted.to_pylist()] == [
        (7, "2026-01-01", '"x"'), (7, "2026-01-01", "1"),
    ]  # fmt: skip


def test_a_document_without_its_list_is_no_record(lake: LakeStore):
    texts = ['{"error": "gone"}', '{"data": [{"v": "x"}]}', '{"data": [{"v": 1}', "5"]
    received = Received(pa.record_batch({"d": texts}), "documents", records=Records("data"))
    written = stored(lake, conformer(("v", "bigint")), [received])
    replayed = again(lake, written, conformer(("v", "text")))
    assert [row for each in replayed for row in each.accepted.to_pylist()] == [{"v": "x"}]
    assert sum(each.rejected.num_rows for each in replayed) == 3
    replayed = again(lake, written, conformer(("v", "jsonb")))
    assert [row for each in replayed for row in each.accepted.to_pylist()] == [{"v": '"x"'}]


def test_what_encloses_records_but_lacks_their_list(lake: LakeStore):
    line = json.dumps({"data": [{"id": 7, "items": "x"}, {"id": 8, "items": [{"v": 1}]}]})
    received = Received(pa.record_batch({"d": [line]}), "documents", records=Records("items", within="data"))
    made = conformer(("id", "bigint", "^.id"), ("v", "bigint"))
    written = stored(lake, made, [received])
    [replayed] = again(lake, written, made)
    assert replayed.accepted.num_rows == 0
    assert replayed.rejected.to_pylist()[0]["row"] == '{"id": 7, "items": "x"}'


def test_what_is_unreadable_stays_so(lake: LakeStore):
    lost = (Unreadable("3 fields", "a,b,c", 4), Unreadable("not UTF-8", b"\xff"))
    received = Received(pa.record_batch({"v": ["x"]}), "texts", lost)
    written = stored(lake, conformer(("v", "bigint")), [received])
    assert written.source_rows == written.quarantined_rows == 3
    replayed = again(lake, written, conformer(("v", "text")))
    assert [row for each in replayed for row in each.accepted.to_pylist()] == [{"v": "x"}]
    rejected = [row for each in replayed for row in each.rejected.to_pylist()]
    assert [(row["reason"], row["raw"] or row["row"]) for row in rejected] == [
        ("3 fields", "a,b,c"),
        ("not UTF-8", b"\xff"),
    ]


def test_a_document_that_is_not_utf8_is_kept_as_it_is(lake: LakeStore):
    received = Received(pa.record_batch({"d": pa.array([b'{"v": "\xff"}'], pa.binary())}), "documents")
    written = stored(lake, conformer(("v", "text")), [received])
    [replayed] = again(lake, written, conformer(("v", "text")))
    [row] = replayed.rejected.to_pylist()
    assert (row["raw"], row["row"]) == (b'{"v": "\xff"}', '{"v": "\\xff"}')


def test_a_part_says_where_its_rows_came_from(lake: LakeStore):
    received = Received(pa.record_batch({"v": ["x"]}), "texts")
    written = stored(lake, conformer(("v", "bigint"), version="2.3.4"), [received])
    metadata: dict[bytes, bytes] = pq.read_schema(pa.BufferReader(lake.read(written.quarantine[0].key))).metadata
    about: dict[str, Any] = json.loads(metadata[b"datastack"])
    assert about == {
        "source": "s", "stream": "t", "contract_version": "2.3.4", "attempt": "a1", "landing": "landing/m.json",
        "slice_start": "2026-01-01T00:00:00+00:00", "slice_end": "2026-01-02T00:00:00+00:00",
    }  # fmt: skip


def test_the_columns_of_a_manifest_are_those_of_its_rows(lake: LakeStore):
    made = conformer(("v", "bigint"), drift=Drift.EVOLVE)
    rows = Received(pa.record_batch({"v": [1], "more": ["x"]}), "typed")
    lost = Received(pa.record_batch({"d": pa.array([], pa.string())}), "documents", (Unreadable("3 fields", "a"),))
    written = stored(lake, made, [rows, lost])
    assert written.columns == {"v": "bigint", "more": "text"}
