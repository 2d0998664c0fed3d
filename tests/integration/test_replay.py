"""Rows that were set aside enter once what they did not fit was mended: exactly once, and all counts reconcile."""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from datastack.contract.sources import Write
from datastack.warehouse.ledger import open_quarantine, watermark
from datastack.warehouse.load import Load, Outcome, Status, WarehouseError
from datastack.warehouse.replay import replay
from tests.integration.attempts import (
    MISSING,
    NAME,
    TABLE,
    at,
    attempt,
    contract,
    copy,
    delivered,
    forget,
    rows,
    stream,
    uri,
)
from tests.integration.harness import Stack, in_thread

SLICED = stream(Write.REPLACE_SLICE)


def open_parts(stack: Stack) -> list[int]:
    """Ids of what can be replayed."""
    return [part.quarantine_id for part in open_quarantine(uri(stack), "retail_db", NAME)]


def again(stack: Stack, made: tuple[Load, Any], parts: Sequence[int]) -> Outcome:
    """Replay parts with an attempt at them."""
    return replay(uri(stack), made[0], parts, [made[1]])


def reconciled(stack: Stack) -> bool:
    """Whether what the sources had is in the table or in quarantine, by the ledger and by count."""
    states = "ops.loads inner join ops.load_states using (load_id)"
    had = stack.one(f"select coalesce(sum(source_rows), 0) from {states} where stands and replay_of is null")
    loaded = stack.one(f"select coalesce(sum(loaded_rows), 0) from {states} where stands")
    waiting = stack.one("select coalesce(sum(rows), 0) from ops.open_quarantine")
    return bool(had == loaded + waiting and loaded == stack.one(f"select count(*) from {TABLE}"))


@pytest.mark.parametrize("write", list(Write))
def test_rows_enter_beside_those_of_their_load_and_once(stack: Stack, write: Write):
    how = stream(write)
    first = copy(stack, attempt(how, 5, [(1, 1, "a")], rejected=[2, 1]))
    assert reconciled(stack)
    before = watermark(uri(stack), "retail_db", NAME)
    made = attempt(how, 5, [(2, 2, "b"), (3, 3, "c")], rejected=[1], of=contract(version="1.1.0"), cursor_high="9")
    parts = open_parts(stack)
    done = again(stack, made, parts)
    assert (done.status, done.loaded_rows) == (Status.LOADED, 2)
    assert rows(stack, "id, v, _load_id") == [(1, "a", first.load_id), (2, "b", done.load_id), (3, "c", done.load_id)]
    assert reconciled(stack)
    [load] = stack.rows(
        "select replay_of, source_rows, lake_rows, quarantined_rows from ops.loads where load_id = %s", done.load_id
    )
    assert load == (first.load_id, 3, 2, 1)
    assert watermark(uri(stack), "retail_db", NAME) == before
    state = stack.state()
    other = attempt(how, 5, [(2, 2, "b")], rejected=[2])
    for made_again in (made, other):
        assert again(stack, made_again, parts) == Outcome(Status.ALREADY_LOADED, done.load_id, 0)
    assert stack.state() == state
    [rest] = open_quarantine(uri(stack), "retail_db", NAME)
    assert (rest.rows, rest.load_id, rest.contract_version) == (1, first.load_id, "1.1.0")


def test_what_still_does_not_fit_is_replayed_later(stack: Stack):
    first = copy(stack, attempt(SLICED, 5, [(1, 1, "a")], rejected=[2]))
    again(stack, attempt(SLICED, 5, [(2, 2, "b")], rejected=[1]), open_parts(stack))
    third = again(stack, attempt(SLICED, 5, [(3, 3, "c")]), open_parts(stack))
    assert rows(stack, "id") == [(1,), (2,), (3,)]
    assert stack.one("select replay_of from ops.loads where load_id = %s", third.load_id) == first.load_id
    assert open_parts(stack) == []
    assert reconciled(stack)


@pytest.mark.parametrize("write", [Write.REPLACE_SLICE, Write.APPEND, Write.REPLACE])
@pytest.mark.parametrize("is_file", [False, True], ids=["slice", "file"])
def test_a_reload_takes_the_place_of_replayed_rows_too(stack: Stack, write: Write, is_file: bool):
    of_file = {"delivered": delivered("a", "1", 1)} if is_file else {}
    how = stream(write)
    copy(stack, attempt(how, 5, [(1, 1, "a")], rejected=[1], **of_file))
    again(stack, attempt(how, 5, [(2, 2, "b")], **of_file), open_parts(stack))
    newer = {"delivered": delivered("a", "2", 2)} if is_file else {}
    copy(stack, attempt(how, 6, [(1, 1, "c"), (2, 2, "d")], **newer))
    assert rows(stack, "v") == [("c",), ("d",)]
    assert reconciled(stack)


@pytest.mark.parametrize("write", [Write.REPLACE_SLICE, Write.APPEND, Write.REPLACE])
def test_rows_of_a_slice_that_was_loaded_anew_are_superseded(stack: Stack, write: Write):
    how = stream(write)
    copy(stack, attempt(how, 5, [(1, 1, "a")], rejected=[1]))
    parts = open_parts(stack)
    copy(stack, attempt(how, 6, [(1, 1, "a")], rejected=[1]))
    assert len(open_parts(stack)) == 1
    assert set(open_parts(stack)).isdisjoint(parts)
    before = rows(stack)
    for _ in range(2):
        assert again(stack, attempt(how, 5, [(2, 2, "b")]), parts).status is Status.SUPERSEDED
    assert rows(stack) == before
    assert stack.rows("select quarantine_id from ops.quarantine where superseded_at is not null") == [(parts[0],)]
    assert again(stack, attempt(how, 6, [(2, 2, "b")]), open_parts(stack)).status is Status.LOADED
    assert reconciled(stack)


def test_rows_of_a_load_that_was_superseded_itself(stack: Stack):
    copy(stack, attempt(SLICED, 6, [(1, 1, "a")]))
    copy(stack, attempt(SLICED, 5, [(1, 1, "b")], rejected=[1]))
    assert open_parts(stack) == []
    part = stack.one("select quarantine_id from ops.quarantine")
    assert again(stack, attempt(SLICED, 5, [(2, 2, "b")]), [part]).status is Status.SUPERSEDED
    assert rows(stack, "v") == [("a",)]


def test_rows_of_a_file_of_which_another_version_was_loaded(stack: Stack):
    how = stream(Write.APPEND)
    copy(stack, attempt(how, 5, [(1, 1, "a")], rejected=[1], delivered=delivered("a", "1", 1)))
    copy(stack, attempt(how, 5, [(9, 1, "b")], delivered=delivered("b", "1", 3)))
    [part] = open_quarantine(uri(stack), "retail_db", NAME)
    assert part.delivered == delivered("a", "1", 1)
    copy(stack, attempt(how, 6, [(1, 1, "c")], delivered=delivered("a", "2", 2)))
    made = attempt(how, 5, [(2, 2, "b")], delivered=delivered("a", "1", 1))
    assert again(stack, made, [part.quarantine_id]).status is Status.SUPERSEDED
    assert rows(stack, "v") == [("b",), ("c",)]


def test_rows_of_a_slice_of_which_a_part_was_loaded_anew_are_refused(stack: Stack):
    copy(stack, attempt(SLICED, 5, [(1, 1, "a")], rejected=[1], window=(0, 48)))
    parts = open_parts(stack)
    copy(stack, attempt(SLICED, 6, [(1, 1, "b")]))
    assert open_parts(stack) == []
    before = stack.state()
    with pytest.raises(WarehouseError, match=r"a part of the slice was loaded anew.*load the slice anew as a whole"):
        again(stack, attempt(SLICED, 5, [(2, 2, "b")], window=(0, 48)), parts)
    assert stack.state() == before


def test_rows_enter_by_key_whatever_came_since(stack: Stack):
    merge = stream(Write.MERGE)
    copy(stack, attempt(merge, 5, [], rejected=[2]))
    parts = open_parts(stack)
    copy(stack, attempt(merge, 6, [(1, 3, "newer")]))
    assert again(stack, attempt(merge, 5, [(1, 1, "older"), (2, 2, "b")]), parts).loaded_rows == 1
    assert rows(stack, "id, v, _extracted_at") == [(1, "newer", at(6)), (2, "b", at(5))]


@pytest.mark.parametrize("write", [Write.MERGE, Write.SCD2])
def test_replayed_rows_of_keys_that_were_deleted_since(stack: Stack, write: Write):
    """The rows' own keys were seen when they were read; of other keys a replay tells nothing."""
    missing = stream(write, deletes=MISSING)
    copy(stack, attempt(missing, 5, [(1, 1, "a")], rejected=[2]), [1, 2, 3])
    parts = open_parts(stack)
    copy(stack, attempt(missing, 7, []), [1, 3])
    again(stack, attempt(missing, 5, [(2, 2, "b"), (3, 3, "c")]), parts)
    assert rows(stack, "id, v, _deleted_at") == [(1, "a", None), (2, "b", at(7)), (3, "c", None)]


def test_two_replays_at_once(stack: Stack):
    copy(stack, attempt(SLICED, 5, [(1, 1, "a")], rejected=[1]))
    parts = open_parts(stack)
    made = [attempt(SLICED, 5, [(2, 2, value)]) for value in "bc"]
    with stack.ledger_locked():
        finish = [in_thread(again, stack, each, parts) for each in made]
        stack.wait_for_copy()
    outcomes = [each() for each in finish]
    assert sorted(outcome.status for outcome in outcomes) == [Status.ALREADY_LOADED, Status.LOADED]
    assert len({outcome.load_id for outcome in outcomes}) == 1
    assert stack.one(f"select count(*) from {TABLE}") == 2
    assert reconciled(stack)


def test_a_replay_that_fails_changes_nothing(stack: Stack):
    copy(stack, attempt(SLICED, 5, [(1, 1, "a")], rejected=[1, 1]))
    parts, before = open_parts(stack), stack.state()
    wrong: dict[str, tuple[Any, Sequence[int]]] = {
        "are outside of the slice|rows outside of the slice": (attempt(SLICED, 5, [(2, 30, "b"), (3, 3, "c")]), parts),
        "has 1 rows of": (attempt(SLICED, 5, [(2, 2, "b")]), parts),
        "is not made of these parts": (attempt(SLICED, 6, [(2, 2, "b"), (3, 3, "c")]), parts),
        "the ledger has 1": (attempt(SLICED, 5, [(2, 2, "b")]), [parts[0], 99_999]),
    }
    for error, (made, which) in wrong.items():
        with pytest.raises(WarehouseError, match=error):
            again(stack, made, which)
        assert stack.state() == before
    again(stack, attempt(SLICED, 5, [(2, 2, "b")]), parts[:1])
    with pytest.raises(WarehouseError, match="some of these parts were replayed before"):
        again(stack, attempt(SLICED, 5, [(2, 2, "b"), (3, 3, "c")]), parts)
    forget(stack)


def test_a_domain_sees_a_replay_as_a_new_load(stack: Stack):
    from datastack.contract.sql import sql

    copy(stack, attempt(SLICED, 5, [(1, 1, "a")], rejected=[1]))
    done = again(stack, attempt(SLICED, 5, [(2, 2, "b")]), open_parts(stack))
    query = re.sub(r"\$\d", "%s", sql("ops/unpublished_loads"))
    assert (done.load_id,) in stack.rows(query, ["retail_db"], [NAME], "retail")


def test_a_replay_is_not_what_a_slice_that_is_conformed_anew_is_compared_with(stack: Stack):
    copy(stack, attempt(SLICED, 5, [(1, 1, "a")], rejected=[1], conformed_at=at(6)))
    again(stack, attempt(SLICED, 5, [(2, 2, "b")], conformed_at=at(8)), open_parts(stack))
    outcome = copy(stack, attempt(SLICED, 5, [(1, 1, "c"), (2, 2, "d")], conformed_at=at(7)))
    assert outcome.status is Status.LOADED
    assert rows(stack, "v") == [("c",), ("d",)]
    assert reconciled(stack)
