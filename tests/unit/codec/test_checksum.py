"""The checksum of rows: the same for the same rows wherever they stand, another for others, in every version."""

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from datastack.codec.checksum import MODULUS, checksum
from tests.unit.codec.rows import PLAIN, VALUES, array, batch_of, batches, bits

UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


def summed(values: pa.Array, kind: str) -> int:
    """Checksum of one column."""
    return checksum(batch_of(values), [kind])


@pytest.mark.parametrize("kind", [*PLAIN, "uuid", "numeric"])
@settings(max_examples=15, deadline=None)
@given(st.data())
def test_order_and_boundaries_of_batches_do_not_count(kind: str, data: st.DataObject):
    batch = data.draw(batches((kind, "text")))
    order = data.draw(st.permutations(range(batch.num_rows)))
    cut = data.draw(st.integers(0, batch.num_rows))
    total = checksum(batch, (kind, "text"))
    assert checksum(batch.take(pa.array(order, pa.int64())), (kind, "text")) == total
    parts = (batch.slice(0, cut), batch.slice(cut))
    assert sum(checksum(part, (kind, "text")) for part in parts) % MODULUS == total


@pytest.mark.parametrize("kind", ["integer", "smallint", "boolean", "bytea", "text", "text[]", "uuid", "date"])
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_another_value_or_null_counts(kind: str, data: st.DataObject):
    one, other = (array(kind, [data.draw(VALUES[kind] | st.none())]) for _ in range(2))
    assume(bits(batch_of(one)) != bits(batch_of(other)))
    assert summed(one, kind) != summed(other, kind)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("text", [""], [None]), ("text[]", [[]], [None]), ("text[]", [[None]], [[]]), ("text[]", [[None]], [[""]]),
        ("text[]", [["ab", "c"]], [["a", "bc"]]), ("text[]", [["a"], ["b"]], [["a", "b"], []]),
        ("integer", [0], [None]), ("boolean", [False], [None]), ("bytea", [b""], [None]),
        ("bytea", [b"a\0"], [b"a"]),
        ("text", ["a", "a", "b"], ["a", "b", "b"]), ("text", ["a", "a"], []),
        ("text", ["abcdefghijkl"], ["abcdefghijk"]),
        ("numeric(3,1)", [Decimal("1.0")], [Decimal("1.1")]), ("numeric", ["0.00"], [None]),
        ("numeric", ["1"], ["10000"]),
        ("date", [2**31 - 1], [-(2**31)]), ("real", [0.1], [0.2]), ("jsonb", ["{}"], [None]),
    ],
)  # fmt: skip
def test_values_that_look_alike(kind: str, one: list, other: list):
    assert summed(array(kind, one), kind) != summed(array(kind, other), kind)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("double precision", [0.0], [-0.0]), ("numeric", ["1.50"], ["1.5"]), ("numeric", ["-0.010"], ["-0.01"]),
        ("jsonb", ['{"a":1}'], ['{"a": 1}']), ("uuid", [UUID.upper()], [UUID]),
    ],
)  # fmt: skip
def test_values_that_are_equal_to_postgres(kind: str, one: list, other: list):
    assert summed(array(kind, one), kind) == summed(array(kind, other), kind)


def test_numbers_are_equal_in_whatever_type_they_travel():
    number = array("numeric(9,4)", [Decimal("-12.5")])
    assert summed(number, "numeric(9,4)") == summed(array("numeric", ["-12.500"]), "numeric")


def test_columns_and_rows_belong_together():
    first, second, kinds = array("bigint", [1, 2]), array("bigint", [3, 4]), ["bigint", "bigint"]
    assert checksum(batch_of(first, second), kinds) != checksum(batch_of(second, first), kinds)
    assert checksum(batch_of(first, second), kinds) != checksum(batch_of(first, array("bigint", [4, 3])), kinds)


def test_sliced_arrays_are_as_whole_ones():
    kinds = ["text", "text[]", "bigint", "boolean"]
    values = [["x", "ab", None, "d"], [["x"], ["a", None], None, []], [None, 1, 2, 3], [True, None, False, True]]
    whole, part = (
        batch_of(*(array(kind, column[cut]) for kind, column in zip(kinds, values, strict=True)))
        for cut in (slice(0, 4), slice(1, 3))
    )
    assert checksum(whole.slice(1, 2), kinds) == checksum(part, kinds)


def test_the_sum_is_the_same_in_every_version():
    """Manifests store it, and Postgres must come to the same."""
    kinds = {
        "bigint": [1, None, -(2**63)], "boolean": [True, False, None], "bytea": [b"\0\1", b"", None],
        "date": [0, -(2**31), None], "double precision": [1.5, -0.0, None],
        "numeric(38,9)": [Decimal("-1.5"), None, Decimal(0)], "numeric": ["NaN", "1.50", "9" * 100],
        "jsonb": ["{}", None, "[]"], "text": ["", "é and more than twelve bytes", None], "real": [0.1, None, -1],
        "text[]": [["a", None], [], None], "time": [86_400_000_000, 0, None], "timestamptz": [2**63 - 1, 0, None],
        "uuid": [UUID, None, None],
    }  # fmt: skip
    batch = batch_of(*(array(kind, values) for kind, values in kinds.items()))
    assert checksum(batch, list(kinds)) == 16236316557605066504
    assert summed(array("text", []), "text") == 0
