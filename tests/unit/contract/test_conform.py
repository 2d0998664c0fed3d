"""Rows that fit are typed; those that don't are set aside with the reason; nothing is lost."""

import json
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datastack.contract.conform import Conformer, DriftError
from datastack.contract.model import Column, Contract, Drift, Privacy, Tolerance
from datastack.contract.privacy import MASKED, Pseudonymiser
from tests.unit.contract.documents import conform_records

KEY = b"0123456789abcdef"


def contract(*columns: Column, drift: Drift = Drift.DISCARD) -> Contract:
    return Contract(
        source="s", stream="t", version="1.0.0", description="d", grain="g", owner="o", columns=columns,
        minimum_rows=1, drift=drift, file="t.odcs.yaml",
    )  # fmt: skip


def column(name: str, type_: str, path: str | None = None, **more: object) -> Column:
    return Column(name=name, type=type_, description="d", path=path or name, **more)


def conform(*columns: Column, records: list[dict], drift: Drift = Drift.DISCARD):
    return conform_records(Conformer(contract(*columns, drift=drift), Pseudonymiser(KEY)), records)


def test_values_are_typed_exactly():
    columns = [
        column("whole", "bigint"), column("money", "numeric(10,2)"), column("day", "date"), column("at", "timestamptz"),
        column("text", "text"), column("yes", "boolean"), column("real", "double precision"), column("doc", "jsonb"),
    ]  # fmt: skip
    record = {
        "whole": 2**53 + 1, "money": Decimal("0.10"), "day": "2026-02-28", "at": "2026-02-28T23:00:00+02:00",
        "text": "a\n\"b\"", "yes": True, "real": Decimal("1.5"), "doc": {"a": [1]},
    }  # fmt: skip
    row = conform(*columns, records=[record]).accepted.to_pylist()[0]
    assert row["whole"] == 9007199254740993
    assert row["money"] == Decimal("0.10")
    assert row["day"].isoformat() == "2026-02-28"
    assert row["at"].isoformat() == "2026-02-28T21:00:00+00:00"
    assert row["text"] == 'a\n"b"'
    assert row["yes"] is True
    assert row["real"] == 1.5
    assert json.loads(row["doc"]) == {"a": [1]}


@pytest.mark.parametrize(
    ("type_", "says"),
    [("bigint", "is not of type bigint"), ("uuid", "is not a UUID"), ("jsonb", "is not JSON"),
     ("numeric", "is not a number"), ("text[]", "is not of type text[]")],
)  # fmt: skip
def test_a_row_that_is_off_by_a_field_shows_no_identity(type_: str, says: str):
    columns = [column("email", "text", privacy=Privacy.HASH), column("other", type_)]
    texts = pa.RecordBatch.from_pydict({"email": ["a note"], "other": ["jane@example.com"]})
    got = Conformer(contract(*columns), Pseudonymiser(KEY)).batch(texts)
    assert got.rejected.column("reason").to_pylist() == [f"other: {says}"]
    without = Conformer(contract(column("other", type_)), Pseudonymiser(KEY)).batch(texts)
    assert without.rejected.column("reason").to_pylist() == [f"other: 'jane@example.com' {says}"]


def test_nested_values_are_found_by_their_path():
    columns = [column("start", "date", "period.start"), column("ids", "text[]", "members[].id")]
    records = [
        {"period": {"start": "2026-01-01"}, "members": [{"id": "a"}, {"id": "b"}]},
        {"period": None, "members": []},
        {},
    ]
    got = conform(*columns, records=records).accepted.to_pylist()
    assert [row["ids"] for row in got] == [["a", "b"], [], None]
    assert [str(row["start"]) for row in got] == ["2026-01-01", "None", "None"]


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("bigint", "12x"), ("bigint", 1.5), ("bigint", 2**63), ("integer", 2**31), ("numeric(4,2)", Decimal("1.234")),
        ("numeric(4,2)", Decimal("123.4")), ("date", "2026-02-30"), ("timestamptz", "noon"), ("text", 5),
        ("boolean", "yes"),
        ("date", 20260228), ("bigint", True), ("double precision", "x"), ("boolean", 1), ("text[]", ["a", 1]),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_sets_its_row_aside(type_: str, value: object):
    got = conform(column("id", "bigint"), column("v", type_), records=[{"id": 1}, {"id": 2, "v": value}, {"id": 3}])
    assert [row["id"] for row in got.accepted.to_pylist()] == [1, 3]
    [rejected] = got.rejected.to_pylist()
    assert rejected["reason"].startswith("v: ")
    assert json.loads(rejected["row"])["id"] == 2


def test_a_missing_required_value_sets_its_row_aside():
    got = conform(column("id", "bigint", required=True), records=[{"id": None}, {}, {"id": 7}])
    assert got.accepted.to_pylist() == [{"id": 7}]
    assert got.rejected.column("reason").to_pylist() == ["id: required, but null", "id: required, but missing"]


def test_no_records_give_no_rows():
    got = conform(column("id", "bigint", required=True), records=[])
    assert (got.accepted.num_rows, got.rejected.num_rows) == (0, 0)
    assert got.accepted.schema == contract(column("id", "bigint", required=True)).arrow_schema


def test_an_unknown_field_is_counted_or_refused():
    conformer = Conformer(contract(column("id", "bigint")), Pseudonymiser(KEY))
    conform_records(conformer, [{"id": 1, "new": 1}, {"id": 2}, {"id": 3, "new": None}])
    assert conformer.discarded == {"new": 2}
    with pytest.raises(DriftError, match=r"t\.new: not in t\.odcs\.yaml, which is frozen"):
        conform(column("id", "bigint"), records=[{"id": 1, "new": 1}], drift=Drift.FREEZE)


def test_typed_batches_conform_too():
    conformer = Conformer(contract(column("id", "bigint"), column("n", "numeric(10,2)")), Pseudonymiser(KEY))
    batch = pa.record_batch({"id": pa.array([1, 2, 3], pa.int64()), "n": ["1.50", "x", None], "more": [1, 2, 3]})
    got = conformer.batch(batch)
    assert got.accepted.to_pylist() == [{"id": 1, "n": Decimal("1.50")}, {"id": 3, "n": None}]
    assert got.rejected.column("reason").to_pylist() == ["n: 'x' is not of type numeric(10,2)"]
    assert conformer.discarded == {"more": 3}


def test_identities_agree_between_databases_and_apis():
    household = column("id", "text", privacy=Privacy.HASH)
    conformer = Conformer(contract(household), Pseudonymiser(KEY))
    from_database = conformer.batch(pa.record_batch({"id": pa.array([105], pa.int64())})).accepted
    from_number = conform_records(conformer, [{"id": 105}]).accepted
    from_text = conform_records(conformer, [{"id": "105"}]).accepted
    assert from_database == from_number == from_text
    assert "105" not in str(from_database.to_pylist())
    other_key = conform_records(
        Conformer(contract(household), Pseudonymiser(b"another key, 16+")), [{"id": 105}]
    ).accepted
    assert other_key != from_number


def test_privacy_rules():
    columns = [
        column("hashed", "text[]", "h[].id", privacy=Privacy.HASH), column("masked", "text", privacy=Privacy.MASK),
        column("dropped", "text", privacy=Privacy.DROP), column("kept", "text", privacy=Privacy.RESTRICT),
    ]  # fmt: skip
    record = {"h": [{"id": 1}, {"id": None}], "masked": "secret", "dropped": "secret", "kept": "visible"}
    got = conform(*columns, records=[record, {"masked": None}]).accepted.to_pylist()
    assert got[0]["hashed"] == [Pseudonymiser(KEY).hash(pa.array(["1"]))[0].as_py(), None]
    assert got[0]["masked"] == MASKED
    assert got[0]["kept"] == "visible"
    assert "dropped" not in got[0]
    assert got[1] == {"hashed": None, "masked": None, "kept": None}


def test_a_reason_shows_no_personal_value():
    got = conform(column("p", "text", privacy=Privacy.RESTRICT), records=[{"p": 4711}])
    assert got.rejected.num_rows == 1
    assert "4711" not in got.rejected.column("reason")[0].as_py()


def test_a_short_key_is_refused():
    with pytest.raises(ValueError, match="shorter than 16 bytes"):
        Pseudonymiser(b"short")
    assert "0123" not in repr(Pseudonymiser(KEY))


@pytest.mark.parametrize(
    ("rows", "share", "rejected", "total", "allowed"),
    [
        (0, 0.0, 0, 0, True),
        (0, 0.0, 1, 10, False),
        (5, 0.5, 5, 10, True),
        (5, 0.4, 5, 10, False),
        (4, 0.9, 5, 10, False),
    ],
)
def test_tolerance_is_rows_and_share(rows: int, share: float, rejected: int, total: int, allowed: bool):
    assert Tolerance(rows=rows, share=share).allows(rejected, total) is allowed


@given(st.lists(st.one_of(st.integers(), st.text(), st.none(), st.floats(), st.booleans(), st.lists(st.integers()))))
def test_every_record_is_accepted_or_rejected(values: list[object]):
    got = conform(column("v", "integer", required=True), records=[{"v": value} for value in values])
    assert got.accepted.num_rows + got.rejected.num_rows == len(values)
    assert got.accepted.column("v").null_count == 0
