"""A contract changes its columns: the raw table follows in the load's own transaction, or the error says why not."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from datastack.contract.sources import MissingKeys, Write
from datastack.warehouse.load import WarehouseError
from tests.integration.attempts import (
    KEYED,
    TABLE,
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

ID, AT, V = KEYED
SLICED = stream(Write.REPLACE_SLICE)


def test_a_contract_that_gains_columns(stack: Stack):
    made = [(1, 0, "a")]
    copy(stack, attempt(SLICED, 1, made))
    wider = contract((*KEYED, column("must", "text", True), column("may", "date")), "1.1.0")
    outcome = copy(stack, attempt(SLICED, 2, [(2, 24, "b", "m", None)], of=wider, window=(24, 48)))
    assert outcome.changes == (
        "added must text (may be null: earlier rows have no value)", "added may date",
    )  # fmt: skip
    assert outcome.added_columns == ()
    assert rows(stack, "id, must") == [(1, None), (2, "m")]
    forget(stack)
    copy(stack, attempt(SLICED, 1, []))
    copy(stack, attempt(SLICED, 2, [(1, 0, "a", "m", None)], of=wider))
    assert types(stack)["must"] == "text not null"


def test_rows_of_an_older_version_of_the_contract_come_late(stack: Stack):
    old = contract((ID, AT, column("n", "integer", True), column("gone", "text", True)))
    new = contract((ID, AT, column("n", "bigint", True), column("must", "text", True)), "1.1.0")

    def late(number: int) -> Any:
        hours = 24 * (number - 1), 24 * number
        load, batch = attempt(
            SLICED, 1, [(number, hours[0], 7, "not any more")], of=old, window=hours, rows_schema=old.arrow_schema
        )
        load.contract = new
        return load, batch

    copy(stack, attempt(SLICED, 1, [(1, 0, 5, "g")], of=old))
    copy(stack, attempt(SLICED, 2, [(2, 24, 2**40, "m")], of=new, window=(24, 48)))
    copy(stack, late(3))
    assert rows(stack, "id, n, must, gone") == [(1, 5, None, "g"), (2, 2**40, "m", None), (3, 7, None, None)]
    assert "not null" not in types(stack)["gone"] + types(stack)["must"]
    forget(stack)
    copy(stack, attempt(SLICED, 2, [(1, 0, 2**40, "m")], of=new))
    assert types(stack)["must"] == "text not null"
    assert copy(stack, late(2)).changes == ("must may be null now",)
    assert rows(stack, "id, n, must") == [(1, 2**40, "m"), (2, 7, None)]


WIDER = [
    ("smallint", "integer", 7, "7"), ("integer", "bigint", 7, "7"), ("real", "double precision", 1.5, "1.5"),
    ("numeric(4,2)", "numeric(10,4)", Decimal("1.50"), "1.5000"), ("bigint", "text", 7, "7"),
    ("boolean", "text", True, "true"), ("date", "text", at(0).date(), "2019-11-01"), ("text", "jsonb", "x", '"x"'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "value", "text"), WIDER, ids=[f"{old}-{new}" for old, new, *_ in WIDER])
@pytest.mark.parametrize("write", [Write.REPLACE_SLICE, Write.MERGE])
def test_a_type_that_widens_is_widened(stack: Stack, write: Write, old: str, new: str, value: object, text: str):
    narrow, wide = (
        contract((ID, AT, column("x", kind, True)), version) for kind, version in ((old, "1.0.0"), (new, "1.1.0"))
    )
    copy(stack, attempt(stream(write), 1, [(1, 0, value)], of=narrow))
    outcome = copy(stack, attempt(stream(write), 2, [], of=wide, window=(24, 48)))
    assert outcome.changes == (f"changed x from {old} to {new}",)
    late = attempt(stream(write), 3, [(2, 48, value)], of=narrow, window=(48, 72), rows_schema=narrow.arrow_schema)
    late[0].contract = wide
    copy(stack, late)
    assert rows(stack, "id, x::text") == [(1, text), (2, text)]
    assert types(stack)["x"] == f"{new} not null"


@pytest.mark.parametrize(
    ("old", "new"),
    [("bigint", "integer"), ("numeric(10,2)", "numeric(9,2)"), ("numeric(10,2)", "numeric(10,4)"), ("text", "bigint"),
     ("timestamptz", "date"), ("double precision", "text"), ("numeric(4,2)", "text"), ("jsonb", "text")],
)  # fmt: skip
def test_a_type_that_narrows_is_refused(stack: Stack, old: str, new: str):
    before, after = (
        contract((ID, AT, column("x", kind)), version) for kind, version in ((old, "1.0.0"), (new, "1.1.0"))
    )
    copy(stack, attempt(SLICED, 1, [(1, 0, None)], of=before))
    state = stack.state()
    with pytest.raises(WarehouseError) as failure:
        copy(stack, attempt(SLICED, 2, [(1, 0, None)], of=after))
    assert f"things.odcs.yaml has x as {new}, but it is {old} in" in str(failure.value)
    assert "major version" in str(failure.value)
    assert stack.state() == state


def test_a_column_that_need_not_be_there_any_more(stack: Stack):
    copy(stack, attempt(SLICED, 1, [(1, 0, "a")], of=contract((ID, AT, column("v", "text", True)))))
    assert copy(stack, attempt(SLICED, 2, [(1, 0, None)])).changes == ("v may be null now",)
    copy(stack, attempt(SLICED, 3, [(2, 24)], of=contract((ID, AT), "1.2.0"), window=(24, 48)))
    assert rows(stack, "id, v") == [(1, None), (2, None)]
    assert types(stack)["id"] == "bigint not null"


@contextmanager
def view(stack: Stack, name: str, columns: str) -> Iterator[Any]:
    """Let the transformer make a view on the table; give its connection."""
    with stack.warehouse.connect("warehouse", "transformer", stack.servers.secrets["PG_TRANSFORMER_PASSWORD"]) as db:
        db.execute(f"create view {name} as select {columns} from {TABLE}")
        yield db


def test_a_view_of_another_role_is_named(stack: Stack):
    wide = contract((ID, AT, column("v", "jsonb")), "1.1.0")
    copy(stack, attempt(SLICED, 1, [(1, 0, "a")]))
    with view(stack, "staging.stg_things", "*") as db, view(stack, "staging.other", "id"):
        before = stack.state()
        with pytest.raises(WarehouseError) as failure:
            copy(stack, attempt(SLICED, 2, [(1, 0, "1")], of=wide))
        assert 'v of "raw_retail_db"."things" must become jsonb, but staging.stg_things read' in str(failure.value)
        assert "drop view staging.stg_things -- as transformer" in str(failure.value)
        assert "staging.other" not in str(failure.value)
        assert stack.state() == before
        more = contract((*KEYED, column("more", "text", True)), "1.1.0")
        copy(stack, attempt(SLICED, 2, [(1, 0, "b", "m")], of=more))
        assert db.execute("select * from staging.stg_things").fetchall() == [(1, at(0), "b", *db_ours(stack))]
        db.execute("drop view staging.stg_things")
        copy(stack, attempt(SLICED, 3, [(1, 0, "1")], of=wide))


def db_ours(stack: Stack) -> tuple[Any, ...]:
    """Values of our own columns in the only row."""
    return stack.rows(f"select _load_id from {TABLE}")[0]


def test_keys_that_are_compared_widen_with_their_table(stack: Stack):
    how = stream(Write.MERGE, deletes=MissingKeys(by="key"))
    small, large = (
        contract((column("id", kind, True, 1), AT), version)
        for kind, version in (("integer", "1.0.0"), ("bigint", "1.1.0"))
    )
    copy(stack, attempt(how, 1, [(1, 0), (2, 0)], of=small), [1, 2])
    copy(stack, attempt(how, 2, [(2**40, 1)], of=large), [2, 2**40])
    assert rows(stack, "id, _deleted_at") == [(1, at(2)), (2, None), (2**40, None)]


def test_a_table_that_was_merged_before_rows_were_dated(stack: Stack):
    """As a warehouse has it that was filled by an earlier version of this engine."""
    copy(stack, attempt(stream(Write.MERGE), 1, [(1, 1, "a")]))
    with stack.warehouse.connect("warehouse") as db:
        db.execute(f"alter table {TABLE} drop column _extracted_at")
    copy(stack, attempt(stream(Write.MERGE), 2, [(1, 1, "b"), (2, 1, "c")]))
    assert rows(stack, "id, v, _extracted_at") == [(1, "b", at(2)), (2, "c", at(2))]


LEGACY = f"""
    alter table {TABLE}
    add column _slice_start timestamptz, add column _loaded_at timestamptz, add column _manifest text;
    update {TABLE} set _slice_start = 'epoch', _loaded_at = now(), _manifest = (
        select split_part(split_part(manifest_key, '=', 2), '/', 1) from ops.loads where loads.load_id = _load_id
    );
    alter table {TABLE}
    alter _slice_start set not null, alter _loaded_at set not null, alter _manifest set not null, drop _load_id;
    create index things_slice on {TABLE} (_slice_start);
"""


@pytest.mark.parametrize("write", list(Write))
def test_a_table_of_before_rows_carried_their_load(stack: Stack, write: Write):
    how = stream(write)
    for day in (0, 24):
        load, batch = attempt(how, 1 + day, [(day, day, "a")], window=(day, day + 24))
        load.manifest_key = f"conformed/attempt={load.attempt}/_manifest.json"
        copy(stack, (load, batch))
    before = rows(stack, "id, v, _load_id")
    with stack.warehouse.connect("warehouse") as db:
        db.execute(f"{LEGACY}; alter table {TABLE} owner to loader")
    with view(stack, "staging.stg_things", "*"):  # as dbt has it, whose models read all columns
        outcome = copy(stack, attempt(how, 90, [(48, 48, "a")], window=(48, 72)))
        first = outcome.changes[0]
    assert first.startswith(f"added _load_id bigint: {len(before)} rows have that of the load which brought them, 0 ha")
    kept = [] if write is Write.REPLACE else before
    assert rows(stack, "id, v, _load_id") == [*kept, (48, "a", outcome.load_id)]
    assert stack.one("select to_regclass('raw_retail_db.things_slice') is null")
    assert copy(stack, attempt(how, 91, [(0, 0, "b")])).changes == ()
    if write in (Write.APPEND, Write.REPLACE_SLICE):
        assert rows(stack, "id, v") == [(0, "b"), (24, "a"), (48, "a")]


def test_rows_of_an_attempt_that_the_ledger_does_not_know(stack: Stack):
    copy(stack, attempt(SLICED, 1, [(1, 1, "a")]))
    with stack.warehouse.connect("warehouse") as db:
        db.execute(LEGACY)
    outcome = copy(stack, attempt(SLICED, 2, [(2, 30, "b")], window=(24, 48)))
    assert outcome.changes[0].startswith("added _load_id bigint: 0 rows have that of the load which brought them, 1 ha")
    assert rows(stack, "id, _load_id") == [(1, 0), (2, outcome.load_id)]
