"""JSON documents are read as Python's own parser reads them, but strictly, exactly, and without losing a record."""

import json
import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datastack.contract.conform import Conformed, Conformer, DriftError
from datastack.contract.model import Column, Contract, Drift, Privacy
from datastack.contract.privacy import Pseudonymiser
from datastack.contract.received import Received, Records, Unreadable
from tests.unit.contract.documents import text_of


def column(name: str, type_: str, path: str | None = None, **more: object) -> Column:
    return Column(name=name, type=type_, description="d", path=path or name, **more)


def conformer(*columns: Column, drift: Drift = Drift.DISCARD) -> Conformer:
    contract = Contract(
        source="s", stream="t", version="1.0.0", description="d", grain="g", owner="o", columns=columns,
        minimum_rows=1, drift=drift, file="t.odcs.yaml",
    )  # fmt: skip
    return Conformer(contract, Pseudonymiser(b"0123456789abcdef"))


def conform(documents: list[bytes | str], records: Records, *columns: Column) -> Conformed:
    texts = [text.encode() if isinstance(text, str) else text for text in documents]
    return conformer(*columns).documents(pa.array(texts, pa.binary()), records)


def rows(got: Conformed) -> list[dict[str, Any]]:
    return got.accepted.to_pylist()


def reasons(got: Conformed) -> list[str]:
    return got.rejected.column("reason").to_pylist()


# The oracle: Python's own parser, made strict.


class Bad(ValueError):
    pass


def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in found}) < len(found):
        raise Bad("twice")
    return dict(found)


def constant(name: str) -> None:
    raise Bad(name)


def parsed(content: bytes) -> Any:
    """Document as Python has it, numbers as decimals."""
    try:
        text = content.decode()
        return json.loads(text, parse_int=Decimal, parse_float=Decimal, parse_constant=constant)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise Bad from error


JSON_TEXT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
).map(lambda value: text_of({"v": value}).encode())
CHANGES = st.lists(st.tuples(st.integers(0, 1000), st.binary(max_size=2), st.integers(0, 2)), max_size=3)
ODD = st.sampled_from(list(b'{}[]",:\\u0 \t\n-+.eE1tfn\x00\x1f\x7f\x80\xc3\xa9\xed\xa0\xf0\xff'))


def changed(content: bytes, changes: list[tuple[int, bytes, int]], odd: list[int]) -> bytes:
    for (place, more, less), byte in zip(changes, [*odd, 0, 0, 0], strict=False):
        at = place % (len(content) + 1)
        content = content[:at] + more + bytes([byte] if byte else []) + content[at + less :]
    return content


@settings(deadline=None, max_examples=400)
@given(JSON_TEXT, CHANGES, st.lists(ODD, max_size=3))
@example(b'{"v": 1}', [], [])
def test_what_is_json_is_what_python_takes_for_json(content: bytes, changes: Any, odd: list[int]):
    content = changed(content, changes, odd)
    got = conform([content], Records(), column("v", "bigint"))
    try:
        document = parsed(content.removeprefix(b"\xef\xbb\xbf"))
    except Bad:
        if content.strip(b" \t\r\n"):
            assert len(reasons(got)) == 1
            assert got.rejected.to_pylist()[0]["raw"] or got.rejected.to_pylist()[0]["row"]
        assert rows(got) == []
        return
    records = document if isinstance(document, list) else [document]
    assert got.rows == len(records) or (got.rows == 1 and not isinstance(document, list | dict))


NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
WHOLE = {"smallint": 15, "integer": 31, "bigint": 63}
SCALED = {"numeric(4,2)": (4, 2), "numeric(18,4)": (18, 4), "numeric(38,10)": (38, 10), "numeric(38,38)": (38, 38)}


@settings(deadline=None, max_examples=300)
@given(st.lists(NUMBERS, min_size=1, max_size=20), st.booleans())
@example(
    ["9223372036854775807", "-9223372036854775808", "9223372036854775808", "1.0", "1e2", "-0", "0e99", "1e-0"], False
)
@example(
    ["99.99", "99.999", "100", "-99.990", "0.01e0", "1e99", "1e-99", "170141183460469231731687303715884105728"], True
)
def test_numbers_fit_exactly_or_not_at_all(numbers: list[str], quoted: bool):
    content = [f'{{"v": {json.dumps(text) if quoted else text}}}' for text in numbers]
    for type_, bits in WHOLE.items():
        fit = [Decimal(text) for text in numbers]
        fit = [n for n in fit if n == n.to_integral_value() and -(2**bits) <= n < 2**bits]
        got = conform(content, Records(), column("v", type_))
        assert [row["v"] for row in rows(got)] == [int(n) for n in fit], type_
        assert got.rows == len(numbers)
    for type_, (digits, scale) in SCALED.items():
        values = [Decimal(text) for text in numbers]
        fit = [n for n in values if scaled_exactly(n, digits, scale)]
        assert [row["v"] for row in rows(conform(content, Records(), column("v", type_)))] == fit, type_
    got = conform(content, Records(), column("v", "double precision"))
    assert [row["v"] for row in rows(got)] == [float(text) for text in numbers]
    got = conform(content, Records(), column("v", "numeric"))
    assert [Decimal(row["v"]) for row in rows(got)] == [Decimal(text) for text in numbers]


def scaled_exactly(number: Decimal, digits: int, scale: int) -> bool:
    _, figures, exponent = number.as_tuple()
    shift = exponent + scale
    value = int("".join(map(str, figures)))
    if shift < 0:
        return value == 0 or (value % 10 ** min(-shift, 60) == 0 and value // 10 ** min(-shift, 60) < 10**digits)
    return value * 10 ** min(shift, 60) < 10**digits


@settings(deadline=None)
@given(st.lists(st.text() | st.none(), max_size=10))
def test_texts_arrive_as_they_are(texts: list[str | None]):
    content = [json.dumps({"v": text}) for text in texts]  # escaped
    content += [json.dumps({"v": text}, ensure_ascii=False).encode("utf-8", "surrogatepass") for text in texts]
    got = conform(content, Records(), column("v", "text"))
    assert [row["v"] for row in rows(got)] == [text for text in texts + texts if storable(text)]


def storable(text: str | None) -> bool:
    return text is None or ("\0" not in text and not any(0xD800 <= ord(char) < 0xE000 for char in text))


@settings(deadline=None)
@given(st.lists(st.datetimes() | st.dates(), max_size=10), st.sampled_from(["Z", "+02:00", "-0330", "+01", "z"]))
def test_dates_and_times_are_those_of_python(moments: list[date], zone: str):
    hours = {"Z": 0, "z": 0, "+02:00": 2, "-0330": -3.5, "+01": 1}[zone]
    for type_ in ("date", "timestamp", "timestamptz"):
        expected = []
        for moment in moments:
            if isinstance(moment, datetime) and type_ == "timestamp":
                expected.append(moment)
            elif not isinstance(moment, datetime) and type_ == "timestamp":
                expected.append(datetime(moment.year, moment.month, moment.day))
            elif not isinstance(moment, datetime) and type_ == "date":
                expected.append(moment)
        content = [json.dumps({"v": moment.isoformat()}) for moment in moments]
        if type_ == "timestamptz":
            stamps = [moment for moment in moments if isinstance(moment, datetime)]
            content = [json.dumps({"v": moment.isoformat() + zone}) for moment in moments]
            got = conform(content, Records(), column("v", type_)).accepted.column("v").cast(pa.int64()).to_pylist()
            epoch = datetime(1970, 1, 1)
            assert got == [
                round((moment - epoch).total_seconds()) * 10**6 * 0
                + ((moment - epoch).days * 86400 + (moment - epoch).seconds) * 10**6
                + (moment - epoch).microseconds
                - int(hours * 3600 * 10**6)
                for moment in stamps
            ]
            continue
        got = conform(content, Records(), column("v", type_))
        assert [row["v"] for row in rows(got)] == expected


# What the documentation says

REFERENCE = (Path(__file__).parents[3] / "docs/reference/conforming.md").read_text()
OUTCOMES = re.findall(r"^\| `(.*?)` \| `([^`]+)`( required)? \| (rejected: )?`(.*?)` \|$", REFERENCE, re.MULTILINE)


def test_the_documented_outcomes_were_found():
    assert len(OUTCOMES) > 60


@pytest.mark.parametrize(("received", "type_", "required", "rejected", "outcome"), OUTCOMES)
def test_documented_outcome(received: str, type_: str, required: str, rejected: str, outcome: str):
    got = conform([received], Records(), column("v", type_, required=bool(required)))
    assert got.rows == 1
    if rejected:
        assert reasons(got) == [outcome]
        assert got.rejected.to_pylist()[0]["row"] == received
    else:
        assert [str(row["v"]) for row in rows(got)] == [outcome]


# Documents and their records


def test_records_are_found_where_they_are_declared():
    pages = ['{"meta": {"n": [1]}, "data": {"list": [{"v": 1}, {"v": 2}]}}', '{"data": {"list": []}, "x": [{}]}']
    got = conform(pages, Records("data.list"), column("v", "bigint"))
    assert rows(got) == [{"v": 1}, {"v": 2}]
    assert rows(conform([' [{"v": 1}, {"v": 2}] '], Records(), column("v", "bigint"))) == [{"v": 1}, {"v": 2}]
    assert rows(conform(['{"data": {"v": 3}}'], Records("data"), column("v", "bigint"))) == [{"v": 3}]
    assert rows(conform([b'\xef\xbb\xbf{"v": 1}'], Records(), column("v", "bigint"))) == [{"v": 1}]
    assert conform(["", " \n", '{"v": 1}\n'], Records(), column("v", "bigint")).rows == 1


BROKEN = {
    '{"data": [{"v": 1}, {"v": 2}': "is not JSON: it ends too early (at byte 29)",
    '{"data": [{"v": 1} {"v": 2}]}': "is not JSON: unexpected character (at byte 20)",
    '{"data": [{"v": 1},]}': "is not JSON: unexpected character (at byte 20)",
    '{"data": [{"v": 1}]} x': "is not JSON: more after its end (at byte 22)",
    '{"data": [{"v": 1}], "data": []}': "has a name twice (at byte 30)",
    '{"data": [{"v": 1}], "x": nul}': "is not JSON: unexpected character (at byte 27)",
    '{"data": 5}': "has no list of records where one is declared",
    '{"data": null}': "has no list of records where one is declared",
    '{"other": []}': "has no list of records where one is declared",
    "[]": "has no list of records where one is declared",
    "": "is not JSON: it is empty (at byte 1)",
    '{"data": [{"v": "': "is not JSON: it ends too early (at byte 18)",
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), BROKEN.items())
def test_a_document_that_is_broken_is_rejected_whole(text: str, reason: str):
    got = conform(['{"data": [{"v": 7}]}', text, '{"data": [{"v": 8}]}'], Records("data"), column("v", "bigint"))
    assert [row["v"] for row in rows(got)] == [7, 8]
    [rejected] = got.rejected.to_pylist()
    assert (rejected["reason"], rejected["row"], rejected["number"]) == (reason, text, 2)


def test_a_record_that_is_broken_is_rejected_alone():
    deep = "[" * 100 + "]" * 100
    records = [
        b'{"v": 1}', b'{"v": tru}', b'{"v": "\xff"}', b'{"v": {"a": %s}}' % deep.encode(), b"5", b'{"v": 2}',
        b'{"v": "a\tb"}', b'{"v": "\\x"}', b'{"v" 1}', b'{v: 1}', b'{"v": "\xed\xa0\x80"}',
    ]  # fmt: skip
    got = conform([b'{"data": [%s]}' % b", ".join(records)], Records("data"), column("v", "jsonb"))
    assert [row["v"] for row in rows(got)] == ["1", "2"]
    rejected = got.rejected.to_pylist()
    assert [row["record"] for row in rejected] == [2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert [row["reason"].split(" (")[0] for row in rejected] == [
        "is not JSON: unexpected character", "is not JSON: not UTF-8", "is not JSON: nested more than 100 levels deep",
        "is JSON, but no object", "is not JSON: control character in a string", "is not JSON: wrong escape in a string",
        "is not JSON: unexpected character", "is not JSON: unexpected character", "is not JSON: not UTF-8",
    ]  # fmt: skip
    assert [row["raw"] or row["row"].encode() for row in rejected] == [*records[1:5], *records[6:]]


@pytest.mark.parametrize(("levels", "accepted"), [(100, 1), (101, 0)])
def test_a_record_has_a_hundred_levels_at_most(levels: int, accepted: int):
    deep = "[" * (levels - 2) + "1e0" + "]" * (levels - 2)
    for types in (("jsonb",), ("jsonb", "v.b")):  # taken as a whole, or gone through by its fields
        got = conform([f'{{"v": {{"a": {deep}}}}}'], Records(), column("v", *types))
        assert got.accepted.num_rows == accepted


def test_a_text_of_ten_megabytes():
    text = "x\n" * 5_000_000
    got = conform([json.dumps({"v": text})] * 3, Records(), column("v", "text"))
    assert [row["v"] == text for row in rows(got)] == [True] * 3


def test_many_records_and_batches_keep_their_order_and_their_places():
    pages = [json.dumps({"data": [{"v": page * 1000 + each} for each in range(1000)]}) for page in range(40)]
    pages[20] = pages[20].replace("20500", "true")
    got = conform(pages, Records("data"), column("v", "bigint"))
    assert [row["v"] for row in rows(got)] == [number for number in range(40_000) if number != 20_500]
    [rejected] = got.rejected.to_pylist()
    assert (rejected["number"], rejected["record"]) == (21, 501)


# Structs, lists, children


def test_a_struct_that_is_something_else_rejects_its_record():
    got = conform(
        ['{"a": {"b": 1}}', '{"a": 5}', '{"a": [{"b": 1}]}', '{"a": null}'], Records(), column("b", "bigint", "a.b")
    )
    assert rows(got) == [{"b": 1}, {"b": None}]
    assert reasons(got) == ["b: what leads to a.b is no object, or names it twice"] * 2


def test_a_list_of_objects_gives_a_list_of_texts():
    content = [
        '{"m": [{"x": {"id": "a"}}, {"x": null}, null, {}]}', '{"m": []}', "{}", '{"m": [5]}', '{"m": {"x": 1}}',
        '{"m": [{"x": {"id": "a", "id": "b"}}]}', '{"m": [{"x": {"id": 7}}]}',
    ]  # fmt: skip
    got = conform(content, Records(), column("ids", "text[]", "m[].x.id"))
    assert rows(got) == [{"ids": ["a", None, None, None]}, {"ids": []}, {"ids": None}]
    assert reasons(got) == [
        "ids: what leads to m[].x.id is no object, or names it twice",
        "ids: '{\"x\": 1}' is not of type text[]",
        "ids: what leads to m[].x.id is no object, or names it twice",
        'ids: \'[{"x": {"id": 7}}]\' is not of type text[]',
    ]


def test_a_child_table_has_the_keys_of_its_parent():
    page = {
        "data": [
            {"id": 1, "at": {"day": "2026-01-01"}, "items": [{"sku": "a"}, {"sku": "b", "new": 1}]},
            {"id": 2, "items": []}, {"id": 3}, {"id": 4, "items": None}, {"id": 5, "items": [7]},
            {"id": 6, "items": "x"},
            {"id": "x", "items": [{"sku": "c"}]},
        ]
    }  # fmt: skip
    columns = [column("id", "bigint", "^.id"), column("day", "date", "^.at.day"), column("sku", "text")]
    made = conformer(*columns)
    got = made.documents(pa.array([json.dumps(page)]), Records("items", within="data"))
    assert [(row["id"], str(row["day"]), row["sku"]) for row in rows(got)] == [
        (1, "2026-01-01", "a"), (1, "2026-01-01", "b"),
    ]  # fmt: skip
    assert made.discarded == {"new": 1}
    rejected = [(row["reason"], row["row"], row["above"]) for row in got.rejected.to_pylist()]
    assert rejected == [
        ("has no list of records where one is declared", json.dumps(page["data"][5]), None),
        ("is JSON, but no object", "7", '{"id": 5}'),
        ("id: 'x' is not of type bigint", '{"sku": "c"}', '{"id": "x"}'),
    ]


def test_a_child_endpoint_has_the_keys_that_were_landed_with_its_pages():
    lines = [
        '{"parent": {"id": 8}, "page": {"data": [{"sku": "a"}, {"sku": "b"}]}}',
        '{"parent": {"id": 9}, "page": {"data": []}}',
        '{"parent": {"id": 10}, "page": {"error": "gone"}}',
    ]
    columns = [column("id", "bigint", "^.id", required=True), column("sku", "text")]
    records = Records("page.data", within="", above="parent")
    got = conformer(*columns).documents(pa.array(lines), records)
    assert [(row["id"], row["sku"]) for row in rows(got)] == [(8, "a"), (8, "b")]
    assert reasons(got) == ["has no list of records where one is declared"]
    whole = [line.replace('{"data": ', "").replace("]}}", "]}") for line in lines[:2]]
    got = conformer(*columns).documents(pa.array(whole), Records("page", within="", above="parent"))
    assert [(row["id"], row["sku"]) for row in rows(got)] == [(8, "a"), (8, "b")]


# Drift


def test_fields_that_come_late_and_with_escapes_are_known_by_their_name():
    made = conformer(column("v", "bigint"), drift=Drift.EVOLVE)
    first = ['{"v": 1}'] * 50 + ['{"1\\u00e9": 1, "x": 1, "v": 2}'] + ['{"\\u0078": "y", "v": 3, "1é": 2}']
    got = made.documents(pa.array(first), Records())
    assert got.accepted.column("_extra").storage.to_pylist()[50:] == ['{"x": 1}', '{"x": "y"}']
    assert (made.evolved, made.discarded) == ({"x": "jsonb"}, {"1é": 2})


def test_too_many_unknown_names():
    content = pa.array([f'{{"v": {number}, "n{number}": 1}}' for number in range(1500)])
    discarding = conformer(column("v", "bigint"))
    assert discarding.documents(content, Records()).accepted.num_rows == 1500
    assert set(discarding.discarded.values()) == {1}
    assert len(discarding.discarded) >= 1000
    with pytest.raises(DriftError, match=r"more than 1000 fields that t\.odcs\.yaml does not know"):
        conformer(column("v", "bigint"), drift=Drift.EVOLVE).documents(content, Records())


def test_a_column_that_is_dropped_is_known_and_not_taken():
    made = conformer(
        column("v", "bigint"), column("name", "text", "person.name", privacy=Privacy.DROP), drift=Drift.FREEZE
    )
    got = made.documents(pa.array(['{"v": 1, "person": {"name": "Ann"}}']), Records())
    assert rows(got) == [{"v": 1}]


# What is unreadable


def test_what_is_no_row_is_rejected_with_its_place():
    made = conformer(column("v", "bigint"))
    batch = pa.record_batch({"v": pa.array(["1", "x"])})
    lost = (Unreadable("3 fields instead of 1", "a,b,c", 7), Unreadable("not UTF-8", b"\xff"))
    first, second = made.received(Received(batch, "texts", lost, object="key", first=5))
    assert first.rejected.select(["reason", "row", "raw", "object", "number"]).to_pylist() == [
        {"reason": "3 fields instead of 1", "row": "a,b,c", "raw": None, "object": "key", "number": 7},
        {"reason": "not UTF-8", "row": "\\xff", "raw": b"\xff", "object": "key", "number": None},
    ]
    assert second.accepted.to_pylist() == [{"v": 1}]
    [rejected] = second.rejected.to_pylist()
    assert (rejected["number"], rejected["object"], rejected["received"]) == (6, "key", {"v": "x"})
