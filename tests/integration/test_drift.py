"""A source changes its columns: the raw table follows in the load's own transaction, or the error says why not."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import pyarrow as pa
import pytest

from datastack.contract.conform import Conformer
from datastack.contract.model import Contract, Drift
from datastack.contract.privacy import Pseudonymiser
from datastack.contract.sources import Write
from datastack.warehouse.load import WarehouseError
from tests.integration.attempts import (
    KEYED,
    at,
    attempt,
    column,
    contract,
    copy,
    forget,
    rows,
    stream,
    types,
)
from tests.integration.harness import Stack
from tests.unit.contract.documents import conform_records

WRITES = list(Write)
ID, AT, _ = KEYED


def evolving(made: Any, extracted: float, write: Write = Write.MERGE, of: Contract | None = None) -> Any:
    """Conform JSON records, or a typed batch, with a contract that evolves; return the attempt and its rows."""
    of = of or contract((ID, AT), drift=Drift.EVOLVE)
    conformer = Conformer(of, Pseudonymiser(b"sixteen bytes or more"))
    done = conformer.batch(made) if isinstance(made, pa.RecordBatch) else conform_records(conformer, made)
    assert done.rejected.num_rows == 0
    batch = done.accepted
    window = (24 * (extracted - 1), 24 * extracted)
    load, _ = attempt(
        stream(write), extracted, [], of=of, window=window, rows_schema=batch.schema, evolved=conformer.evolved
    )
    load.content = type(load.sealed)(load.sealed.manifest_digest, batch.num_rows, batch.num_rows, 1)
    return load, batch


def record(number: int, **more: Any) -> dict[str, Any]:
    """Make a record as JSON has it, in a slice of its own."""
    return {"id": number, "at": at(24 * (number - 1)).isoformat(), **more}


# evolve


@pytest.mark.parametrize("write", WRITES)
def test_a_field_that_no_contract_knows_becomes_a_column(stack: Stack, write: Write):
    copy(stack, evolving([record(1)], 1, write))
    outcome = copy(
        stack, evolving([record(2, Name="x", n=Decimal("1.50"), yes=True, doc={"a": 1}, none=None)], 2, write)
    )
    assert types(stack) == {
        "id": "bigint not null", "at": "timestamp with time zone not null", "doc": "jsonb", "n": "numeric",
        "name": "text", "yes": "boolean",
    }  # fmt: skip
    assert sorted(outcome.added_columns) == ["doc", "n", "name", "yes"]
    first = [] if write is Write.REPLACE else [(1, None, None, None, None)]
    assert rows(stack, "id, doc, n::text, name, yes") == [*first, (2, {"a": 1}, "1.50", "x", True)]


@pytest.mark.parametrize("write", [Write.MERGE, Write.REPLACE_SLICE, Write.SCD2])
def test_slices_with_other_fields_and_other_kinds_of_them_in_any_order(stack: Stack, write: Write):
    attempts = [
        evolving([record(1, a="x", b=1.0)], 1, write),
        evolving([record(2, a=2, c=True)], 2, write),
        evolving([record(3, a=Decimal("2.50"), b="2")], 3, write),
        evolving([record(4)], 4, write),
    ]
    found = set()
    for order in permutations(attempts):
        forget(stack)
        for made in order:
            copy(stack, made)
        found.add(str(rows(stack, "id, a::text, b::text, c")))
    assert found == {
        str([(1, '"x"', "1.0", None), (2, "2", None, True), (3, "2.50", '"2"', None), (4, None, None, None)])
    }


@pytest.mark.parametrize("write", [Write.MERGE, Write.REPLACE_SLICE])
def test_typed_columns_keep_their_type(stack: Stack, write: Write):
    batch = pa.record_batch(
        {
            "id": [1], "at": pa.array([at(0)], pa.timestamp("us", "UTC")),
            "small": pa.array([1], pa.int16()), "money": pa.array([Decimal("1.50")]), "day": pa.array([at(0).date()]),
            "bytes": pa.array([b"x"]), "list": pa.array([["a", None]]), "real": pa.array([1.5], pa.float32()),
            "nested": pa.array([{"a": 1}]), "naive": pa.array([at(0).replace(tzinfo=None)], pa.timestamp("ms")),
        }
    )  # fmt: skip
    copy(stack, evolving(batch, 1, write))
    assert types(stack) == {
        "id": "bigint not null", "at": "timestamp with time zone not null", "small": "smallint",
        "money": "numeric(3,2)", "day": "date", "bytes": "bytea", "list": "text[]", "real": "real", "nested": "text",
        "naive": "timestamp without time zone",
    }  # fmt: skip
    assert rows(stack, "small, money::text, day, bytes, list, real, nested, naive") == [
        (1, "1.50", at(0).date(), b"x", ["a", None], 1.5, '{"a": 1}', at(0).replace(tzinfo=None))
    ]


def test_an_evolved_column_may_be_declared_later(stack: Stack):
    late = evolving([record(2, n=Decimal("2.25"))], 2)
    copy(stack, evolving([record(1, n=Decimal("1.5"), t="x")], 1))
    declared = contract((ID, AT, column("n", "numeric(10,2)"), column("t", "text")), "1.1.0", Drift.EVOLVE)
    outcome = copy(stack, evolving([record(3, n=3, t="y")], 3, of=declared))
    assert outcome.changes == ("changed n from numeric to numeric(10,2)",)
    late[0].contract = declared
    copy(stack, late)
    assert rows(stack, "id, n::text, t") == [(1, "1.50", "x"), (2, "2.25", None), (3, "3.00", "y")]
    whole_numbers = contract((ID, AT, column("n", "bigint")), "2.0.0", Drift.EVOLVE)
    with pytest.raises(WarehouseError, match=r"has n as bigint, but it is numeric\(10,2\)"):
        copy(stack, evolving([record(4)], 4, of=whole_numbers))
    forget(stack)
    copy(stack, evolving([record(1, n=Decimal("1.5"))], 1))
    with pytest.raises(WarehouseError, match=r"1 values of \"n\" don't fit bigint exactly. Nothing was changed"):
        copy(stack, evolving([record(4)], 4, of=whole_numbers))


def test_an_unknown_column_that_changes_to_what_can_not_hold_it(stack: Stack):
    copy(stack, evolving(pa.record_batch({"id": [1], "at": [at(0)], "x": pa.array([1.5])}), 1))
    with pytest.raises(
        WarehouseError, match=r"x, which its contract does not know, has become text and is double prec"
    ):
        copy(stack, evolving(pa.record_batch({"id": [2], "at": [at(24)], "x": ["a"]}), 2))


def test_rows_outside_of_their_slice_are_refused_when_they_bring_a_column_too(stack: Stack):
    copy(stack, evolving([record(1)], 1, Write.REPLACE_SLICE))
    before = stack.state()
    with pytest.raises(WarehouseError, match="1 of its 2 rows are outside of the slice"):
        copy(stack, evolving([record(2), record(3, a=1)], 2, Write.REPLACE_SLICE))
    assert stack.state() == before
