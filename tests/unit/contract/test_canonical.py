"""Values of other databases and of JSON are stored as Postgres writes them, or set aside with the reason."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datastack.contract.canonical import canonical, numeric_text
from datastack.contract.conform import Conformed, Conformer
from datastack.contract.model import Column, Contract, Drift, Privacy
from datastack.contract.privacy import Pseudonymiser
from tests.unit.contract.documents import conform_records

UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


def conformer(type_: str, drift: Drift = Drift.DISCARD, **more: object) -> Conformer:
    columns = (Column(name="v", type=type_, description="d", path="v", **more),)
    contract = Contract(
        source="s", stream="t", version="1.0.0", description="d", grain="g", owner="o", columns=columns,
        minimum_rows=1, drift=drift, file="t.odcs.yaml",
    )  # fmt: skip
    return Conformer(contract, Pseudonymiser(b"0123456789abcdef"))


def typed(type_: str, values: pa.Array, **more: object) -> Conformed:
    return conformer(type_, **more).batch(pa.record_batch([values], names=["v"]))


def values_of(got: Conformed) -> list[object]:
    return got.accepted.column("v").to_pylist()


def reasons_of(got: Conformed) -> list[object]:
    return got.rejected.column("reason").to_pylist()


NUMERICS = {
    "+1": "1", "1e3": "1000", "007": "7", "-0": "0", "-0.00": "0.00", "1.50e1": "15.0", "1e-3": "0.001", ".5": "0.5",
    "5.": "5", " 1 ": "1", "nan": "NaN", "-inf": "-Infinity", "+Infinity": "Infinity", "-00.10": "-0.10", "0e5": "0",
    "1" * 1000: "1" * 1000, "0." + "0" * 16_382 + "1": "0." + "0" * 16_382 + "1",
}  # fmt: skip


@pytest.mark.parametrize(("text", "written"), NUMERICS.items())
def test_a_number_has_one_form(text: str, written: str):
    assert values_of(typed("numeric", pa.array([text, None, "2"]))) == [written, None, "2"]
    assert values_of(conform_records(conformer("numeric"), [{"v": text}])) == [written]


@pytest.mark.parametrize("text", ["", "x", "1,5", "0x1F", "1_000", "--1", "1e200000", "1e-20000", "٣", "1e3.5", "sNaN"])
def test_what_is_no_number_is_set_aside(text: str):
    got = typed("numeric", pa.array(["1", text]))
    assert values_of(got) == ["1"]
    [reason] = reasons_of(got)
    assert reason.startswith(f"v: {text!r} ")


def test_numbers_of_json_are_numeric():
    records = [{"v": value} for value in (1, 2**70, Decimal("1.50"), 1e22, -0.0, True, [1])]
    got = conform_records(conformer("numeric"), records)
    assert values_of(got) == ["1", str(2**70), "1.50", "1" + "0" * 22, "0.0"]
    assert len(reasons_of(got)) == 2


def test_decimals_and_floats_of_other_databases_are_numeric():
    small = pa.array([Decimal("1E-10"), Decimal(5), None], pa.decimal128(38, 10))
    assert values_of(typed("numeric", small)) == ["0.0000000001", "5.0000000000", None]
    assert values_of(typed("text", small)) == ["0.0000000001", "5.0000000000", None]
    assert values_of(typed("numeric", pa.array([1e20, float("nan"), -0.0]))) == ["100000000000000000000", "NaN", "0"]


@settings(deadline=None)
@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30) | st.none()))
def test_a_number_keeps_its_value(numbers: list[Decimal | None]):
    got = canonical(pa.array([None if n is None else str(n) for n in numbers], pa.string()), "numeric")
    assert [None if text is None else Decimal(text) for text in got.to_pylist()] == numbers
    assert canonical(got, "numeric") is got, "what is canonical is not touched"
    assert all(numeric_text(text) == text for text in got.to_pylist() if text is not None)


@pytest.mark.parametrize(
    "text", [UUID.upper(), f"{{{UUID}}}", UUID.replace("-", ""), "A0EE-BC99-9C0B-4EF8-BB6D-6BB9-BD38-0A11", UUID]
)
def test_a_uuid_has_one_form(text: str):
    assert values_of(typed("uuid", pa.array([None, text, UUID]))) == [None, UUID, UUID]
    assert values_of(conform_records(conformer("uuid"), [{"v": text}])) == [UUID]


@pytest.mark.parametrize("text", ["", "x", UUID[:-1], f"{{{UUID}", f"urn:uuid:{UUID}", f"{UUID} ", "a" * 36])
def test_what_is_no_uuid_is_set_aside(text: str):
    got = typed("uuid", pa.array([UUID, text]))
    assert (values_of(got), reasons_of(got)) == ([UUID], [f"v: {text[:60]!r} is not a UUID"])


@pytest.mark.parametrize(
    ("type_", "value"), [("text", "a\0b"), ("text[]", ["a", None, "\0"]), ("jsonb", {"a": ["\0"]})]
)
def test_nul_is_set_aside(type_: str, value: object):
    got = conform_records(conformer(type_), [{"v": None}, {"v": value}])
    assert got.accepted.num_rows == 1
    [reason] = reasons_of(got)
    assert "NUL character" in reason
    assert "\0" not in reason


def test_nul_in_what_is_hashed_or_not_in_the_contract():
    assert values_of(typed("text", pa.array(["a\0"]), privacy=Privacy.HASH))[0]
    batch = pa.record_batch({"v": pa.array(["a", "b"]), "More": pa.array(["x\0", "y"])})
    got = conformer("text", Drift.EVOLVE).batch(batch)
    assert got.accepted.to_pylist() == [{"v": "b", "more": "y"}]
    assert reasons_of(got) == ["more: has a NUL character, which Postgres can't store"]


DOCUMENTS = {
    "{": "is not JSON", '{"a": NaN}': "it has NaN", '"\\u0000"': "NUL", '"\\ud800"': "surrogate", "[" * 100_000: "deep",
    "1e200000": "more digits", "": "is not JSON", "'a'": "is not JSON",
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), DOCUMENTS.items())
def test_json_text_that_jsonb_does_not_take_is_set_aside(text: str, reason: str):
    got = typed("jsonb", pa.array(['{"a": "\\\\u0000 \\ud83d\\ude00", "n": 1e400}', text, None]))
    assert got.accepted.num_rows == 2
    assert reason in reasons_of(got)[0]


def test_json_keeps_its_numbers():
    got = conform_records(conformer("jsonb"), [{"v": {"a": Decimal("1.50")}}])
    assert values_of(got) == ['{"a": 1.50}']


@pytest.mark.parametrize(
    ("type_", "values", "kept"),
    [
        ("numeric(10,2)", pa.array([1.005, 0.1]), [Decimal("0.10")]),
        ("date", pa.array([1, 86_400_000_000, 2**63 - 1, None], pa.timestamp("us")), ["1970-01-02", "None"]),
        ("real", pa.array([1e300, float("inf"), 0.5]), [float("inf"), 0.5]),
        ("time", pa.array(["12:30:00.5", "25:00", None]), ["12:30:00.500000", "None"]),
    ],
)
def test_nothing_is_cut_or_rounded(type_: str, values: pa.Array, kept: list[object]):
    got = typed(type_, values)
    shown = [str(value) if type_ in ("date", "time") else value for value in values_of(got)]
    assert shown == kept
    assert len(reasons_of(got)) == len(values) - len(kept)


def test_a_rejected_row_is_shown_whatever_it_holds():
    """Infinite times and years before Christ are no values of Python's."""
    columns = {
        "v": pa.array(["x"]), "at": pa.array([2**63 - 1], pa.timestamp("us")),
        "day": pa.array([-(2**31)], pa.int32()).view(pa.date32()),
        "bc": pa.array([-(10**17)], pa.timestamp("us")), "t": pa.array([86_400_000_000]).view(pa.time64("us")),
        "f": pa.array([float("nan")]), "b": pa.array([b"\1"]), "ok": pa.array([datetime(2026, 1, 1, tzinfo=UTC)]),
    }  # fmt: skip
    got = conformer("uuid").batch(pa.record_batch(columns))
    assert json.loads(got.rejected.column("row")[0].as_py()) == {
        "v": "x", "at": "infinity", "day": "-infinity",
        "bc": "-1199-02-15T14:13:20.000000", "t": "24:00:00", "f": "NaN",
        "b": "\\x01", "ok": "2026-01-01 00:00:00+00:00",
    }  # fmt: skip


def test_a_name_with_dots_is_known():
    columns = (Column(name="v", type="text", description="d", path="a.b"),)
    contract = conformer("text").contract.model_copy(update={"columns": columns, "drift": Drift.FREEZE})
    got = Conformer(contract, Pseudonymiser(b"0123456789abcdef")).batch(pa.record_batch({"a.b": ["x"]}))
    assert values_of(got) == ["x"]
