"""Fields that no contract knows: kept by `evolve`, and what does not fit a contract's narrower type is set aside."""

import json
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datastack.contract import evolve
from datastack.contract.conform import Conformer
from datastack.contract.model import Column, Contract, Drift, Privacy
from datastack.contract.privacy import Pseudonymiser
from datastack.contract.types import arrow_type
from tests.unit.contract.documents import conform_records


def column(name: str, type_: str, path: str | None = None, **more: object) -> Column:
    return Column(name=name, type=type_, description="d", path=path or name, **more)


def conformer(*columns: Column, drift: Drift = Drift.EVOLVE) -> Conformer:
    contract = Contract(
        source="s", stream="t", version="1.0.0", description="d", grain="g", owner="o", columns=columns,
        minimum_rows=1, drift=drift, file="t.odcs.yaml",
    )  # fmt: skip
    return Conformer(contract, Pseudonymiser(b"0123456789abcdef"))


def test_fields_of_records_travel_together_with_every_digit():
    conform = conformer(column("id", "bigint"))
    digits = Decimal("123456789012345678901234567890.10")
    first = conform_records(conform, [{"id": 1, "n": digits, "s": 'a"é', "x": 1}, {"id": 2, "n": None}])
    second = conform_records(
        conform, [{"id": 3, "x": "one", "d": {"k": [Decimal("1E+2"), None, True]}, "f": float("nan")}]
    )
    assert first.accepted.schema == second.accepted.schema
    text = first.accepted.column("_extra").storage.to_pylist()
    assert json.loads(text[0], parse_float=Decimal) == {"n": digits, "s": 'a"é', "x": 1}
    assert text[1] is None
    assert second.accepted.column("_extra").storage.to_pylist() == [
        '{"x": "one", "d": {"k": [1E+2, null, true]}, "f": "nan"}'
    ]
    assert conform.evolved == {"n": "numeric", "s": "text", "x": "jsonb", "d": "jsonb", "f": "text"}


def test_names_are_made_fit_and_what_has_none_is_counted():
    conform = conformer(
        column("id", "bigint"), column("name", "text", "label"), column("gone", "text", privacy=Privacy.DROP)
    )
    got = conform_records(
        conform, [{"id": 1, "First Name": "a", "first-name": "b", "name": "c", "1st": "d", "gone": "e", "ID": 2}]
    )
    assert conform.evolved == {"first_name": "text"}
    assert sorted(conform.discarded) == ["1st", "ID", "first-name", "name"]
    assert got.accepted.column("_extra").storage.to_pylist() == ['{"first_name": "a"}']


@pytest.mark.parametrize("value", ["a\0b", "\ud800", {"k\0": 1}, ["\0"]])
def test_what_no_warehouse_can_store_sets_its_row_aside(value: object):
    conform = conformer(column("id", "bigint"))
    got = conform_records(conform, [{"id": 1, "x": value}, {"id": 2, "x": "fine"}])
    assert got.accepted.column("id").to_pylist() == [2]
    assert got.rejected.column("reason").to_pylist()[0].startswith("x: can't be stored")
    assert conform.evolved == {"x": "text"}


def test_a_number_of_a_million_digits_stays_short():
    conform = conformer(column("id", "bigint"))
    got = conform_records(conform, [{"id": 1, "x": Decimal("1E+999999")}])
    assert got.accepted.column("_extra").storage.to_pylist() == ['{"x": "1E+999999"}']
    assert conform.evolved == {"x": "text"}


def test_typed_columns_come_behind_those_of_the_contract():
    conform = conformer(column("id", "bigint"))
    batch = pa.record_batch(
        {"more": pa.array([1, None], pa.int32()), "id": [1, 2], "at": pa.array([1, 2], pa.timestamp("ns"))}
    )
    got = conform.batch(batch)
    assert got.accepted.to_pylist()[1] == {"id": 2, "more": None, "at": "1970-01-01 00:00:00.000000002"}
    assert conform.evolved == {"more": "integer", "at": "text"}
    assert conform.discarded == {}


OTHERS = [
    pa.decimal128(12, 2), pa.timestamp("s"), pa.timestamp("us", "Asia/Tokyo"), pa.timestamp("ns"), pa.string(),
    pa.large_string(), pa.list_(pa.int8()), pa.struct({"a": pa.int8()}), pa.time64("ns"), pa.duration("s"),
]  # fmt: skip
ARROW = st.sampled_from([*evolve._PLAIN, *OTHERS])


@given(ARROW)
def test_every_type_has_a_type_that_carries_it(found: pa.DataType):
    type_ = evolve.physical_type(found)
    assert evolve.carried(pa.nulls(2, found), type_).type == arrow_type(type_)


@pytest.mark.parametrize("drift", list(Drift))
@pytest.mark.parametrize(
    ("narrow", "values", "unfit"),
    [
        ("integer", pa.array([1, 2**40, None], pa.int64()), str(2**40)),
        ("numeric(4,2)", pa.array([Decimal("1.50"), Decimal("123.45"), None]), "123.45"),
        ("numeric(4,2)", pa.array([Decimal("1.500"), Decimal("1.234"), None]), "1.234"),
        ("bigint", pa.array(["1", "one", None]), "one"),
        ("smallint", pa.array([1.0, 1.5, None]), "1.5"),
    ],
    ids=["whole number", "digits", "scale", "text", "fraction"],
)
def test_what_a_narrower_type_can_not_hold_is_set_aside(narrow: str, values: pa.Array, unfit: str, drift: Drift):
    got = conformer(column("v", narrow), drift=drift).batch(pa.record_batch({"v": values}))
    assert got.accepted.num_rows == 2
    assert got.rejected.column("reason").to_pylist() == [f"v: {unfit!r} is not of type {narrow}"]
