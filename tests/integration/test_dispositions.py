"""Every write disposition gives the same table in whatever order, and however often, its attempts are loaded."""

from collections.abc import Sequence
from datetime import datetime
from itertools import permutations
from typing import Any

import pytest

from datastack.contract.sources import Write
from datastack.warehouse.ledger import Watermark, watermark
from datastack.warehouse.load import WarehouseError
from tests.integration.attempts import (
    FLAGGED,
    KEYED,
    MISSING,
    NAME,
    SOFT,
    TABLE,
    again,
    at,
    attempt,
    column,
    contract,
    copy,
    forget,
    rows,
    stream,
    uri,
    whole,
)
from tests.integration.harness import Stack

MERGE, SCD2, APPEND = stream(Write.MERGE), stream(Write.SCD2), stream(Write.APPEND)
WITH_FLAG = contract((*KEYED, column("removed", "boolean")))
WITH_TIME = contract((*KEYED, column("removed_at", "timestamptz")))
VALIDITY = "id, v, _valid_from, _valid_to, _is_current"


def same_in_any_order(stack: Stack, attempts: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Load attempts, with their keys if they have some, in each order and some twice; return the table."""
    found = []
    for order in permutations(attempts):
        forget(stack)
        for made, *keys in (*order, order[0]):
            copy(stack, made, *keys)
        found.append(whole(stack))
    assert all(table == found[0] for table in found), "the order of loads is seen in the table"
    return found[0]


# append


def test_a_slice_that_is_appended_again_takes_the_place_of_itself(stack: Stack):
    attempts = [
        (attempt(APPEND, 1, [(1, 1, "a"), (1, 1, "a")]),),
        (attempt(APPEND, 2, [(1, 1, "b")]),),
        (attempt(APPEND, 3, [(2, 30, "c")], window=(24, 48)),),
    ]
    same_in_any_order(stack, attempts)
    assert rows(stack, "id, v") == [(1, "b"), (2, "c")]
    assert stack.one("select count(*) from ops.loads") == 3


def test_appended_rows_are_all_kept(stack: Stack):
    copy(
        stack,
        attempt(
            APPEND,
            1,
            [(1, 1, "a"), (1, 1, "a"), (1, None, None)],
            of=contract((KEYED[0], column("at", "timestamptz"), KEYED[2])),
        ),
    )
    assert rows(stack, "id, v") == [(1, "a"), (1, "a"), (1, None)]


def test_a_window_takes_the_place_of_the_slices_that_it_covers(stack: Stack):
    attempts = [
        (attempt(APPEND, 1, [(1, 1, "day one")]),),
        (attempt(APPEND, 2, [(2, 30, "day two")], window=(24, 48)),),
        (attempt(APPEND, 3, [(1, 1, "both"), (2, 30, "both")], window=(0, 48)),),
    ]
    same_in_any_order(stack, attempts)
    assert rows(stack, "id, v") == [(1, "both"), (2, "both")]


@pytest.mark.parametrize("window", [(0, 24), (12, 60)], ids=["a part", "an overlap"])
def test_a_part_of_an_appended_window_is_refused_in_either_order(stack: Stack, window: tuple[float, float]):
    whole_window, part = (
        attempt(APPEND, 1, [(1, 1, "a")], window=(0, 48)),
        attempt(APPEND, 2, [(1, 20, "b")], window=window),
    )
    copy(stack, whole_window)
    before = stack.state()
    with pytest.raises(
        WarehouseError, match=r"shares time with \[2019-11-01T00.*can't be told apart.*load a window that"
    ):
        copy(stack, part)
    assert stack.state() == before
    forget(stack)
    copy(stack, part)
    with pytest.raises(WarehouseError, match=r"read before those of \[2019-11-01.*clear the task that extracts it"):
        copy(stack, whole_window)


# merge


def test_ties_of_a_merge_are_broken_by_reading_time_and_then_by_the_row(stack: Stack):
    attempts = [
        (attempt(MERGE, 5, [(1, 1, "late"), (2, 1, "x"), (3, 1, "z"), (3, 1, None), (3, 1, "a")]),),
        (attempt(MERGE, 4, [(1, 1, "zzz"), (2, 2, "newest"), (2, 1, "y")]),),
        (attempt(MERGE, 5, [(3, 1, "b"), (4, 1, "only")]),),
    ]
    same_in_any_order(stack, attempts)
    assert rows(stack, "id, v, _extracted_at") == [
        (1, "late", at(5)), (2, "newest", at(4)), (3, None, at(5)), (4, "only", at(5)),
    ]  # fmt: skip


def test_soft_deletes_mark_and_are_not_undone_by_older_rows(stack: Stack):
    soft = stream(Write.MERGE, deletes=SOFT)
    attempts = [
        (attempt(soft, 1, [(1, 1, "a", None), (2, 1, "b", None)], of=WITH_TIME),),
        (attempt(soft, 3, [(1, 3, "a", 2.5)], of=WITH_TIME),),
        (attempt(soft, 2, [(1, 2, "late", None), (2, 2, "b", 2)], of=WITH_TIME),),
        (attempt(soft, 4, [(2, 4, "back", None)], of=WITH_TIME),),
    ]
    same_in_any_order(stack, attempts)
    assert rows(stack, "id, v, _deleted_at") == [(1, "a", at(2.5)), (2, "back", None)]


@pytest.mark.parametrize(("kind", "cursor", "time"), [("timestamptz", 3, at(3)), ("bigint", 7, at(9))])
def test_a_flagged_row_was_deleted_at_its_cursor_or_when_it_was_read(
    stack: Stack, kind: str, cursor: int, time: datetime
):
    columns = (KEYED[0], column("at", kind, True), KEYED[2], column("removed", "boolean"))
    flagged = stream(Write.MERGE, deletes=FLAGGED)
    made = [(1, cursor, "a", True), (2, cursor, "b", False), (3, cursor, "c", None)]
    copy(stack, attempt(flagged, 9, made, of=contract(columns)))
    assert rows(stack, "id, _deleted_at") == [(1, time), (2, None), (3, None)]


def test_a_key_that_is_missed_is_deleted_until_it_is_seen_again(stack: Stack):
    missing = stream(Write.MERGE, deletes=MISSING)
    attempts = [
        (attempt(missing, 1, [(1, 1, "a"), (2, 1, "b"), (3, 1, "c"), (5, 1, "e")]), [1, 2, 3, 5, 9]),
        (attempt(missing, 2, []), [1, 9]),
        (attempt(missing, 3, [(4, 3, "d")]), [1, 3, 4, 5]),
        (attempt(missing, 4, [], window=(24, 48)), [3]),
    ]
    same_in_any_order(stack, attempts)
    assert rows(stack, "id, _deleted_at") == [(1, at(4)), (2, at(2)), (3, None), (4, at(4)), (5, at(4))]


def test_keys_that_should_be_compared_but_were_not_read(stack: Stack):
    made = attempt(stream(Write.MERGE, deletes=MISSING), 1, [(1, 1, "a")])
    with pytest.raises(WarehouseError, match=r"no keys were read.*clear the task that extracts it"):
        copy(stack, made)
    assert stack.one(f"select to_regclass('{TABLE}') is null")


def test_deletes_may_be_declared_when_the_table_is_there(stack: Stack):
    copy(stack, attempt(MERGE, 1, [(1, 1, "a", True), (2, 1, "b", False)], of=WITH_FLAG))
    copy(stack, attempt(stream(Write.MERGE, deletes=FLAGGED), 2, [], of=WITH_FLAG))
    assert rows(stack, "id, _deleted_at") == [(1, at(1)), (2, None)]
    forget(stack)
    copy(stack, attempt(MERGE, 1, [(1, 1, "a"), (2, 1, "b")]))
    copy(stack, attempt(stream(Write.MERGE, deletes=MISSING), 2, []), [2])
    assert rows(stack, "id, _deleted_at") == [(1, at(2)), (2, None)]


# scd2


def test_versions_are_sorted_in_whenever_they_come(stack: Stack):
    attempts = [
        (attempt(SCD2, 1, [(1, 1, "a"), (2, 5, "x")]),),
        (attempt(SCD2, 9, [(1, 9, "c"), (1, 9, "b")]),),
        (attempt(SCD2, 5, [(1, 4, "b"), (1, 1, "a, read again")]),),
    ]
    same_in_any_order(stack, attempts)
    assert rows(stack, VALIDITY) == [
        (1, "a, read again", at(1), at(4), False), (1, "b", at(4), at(9), False), (1, "c", at(9), None, True),
        (2, "x", at(5), None, True),
    ]  # fmt: skip


def test_a_deletion_closes_the_last_version(stack: Stack):
    soft = stream(Write.SCD2, deletes=SOFT)
    attempts = [
        (attempt(soft, 1, [(1, 1, "a", None), (2, 1, "x", None)], of=WITH_TIME),),
        (attempt(soft, 4, [(1, 4, "a", 3)], of=WITH_TIME),),
        (attempt(soft, 6, [(2, 6, "y", None), (2, 4, "x", 4)], of=WITH_TIME),),
    ]
    same_in_any_order(stack, attempts)
    assert rows(stack, f"{VALIDITY}, _deleted_at") == [
        (1, "a", at(1), at(3), False, None), (1, "a", at(4), at(4), False, at(3)),
        (2, "x", at(1), at(4), False, None), (2, "x", at(4), at(4), False, at(4)), (2, "y", at(6), None, True, None),
    ]  # fmt: skip


def test_a_version_whose_key_is_missed_is_closed(stack: Stack):
    missing = stream(Write.SCD2, deletes=MISSING)
    attempts = [
        (attempt(missing, 1, [(1, 1, "a"), (2, 1, "x"), (3, 1, "s")]), [1, 2, 3]),
        (attempt(missing, 3, [(1, 2, "b")]), [1, 3]),
        (attempt(missing, 5, []), [2]),
        (attempt(missing, 7, [(3, 6, "t")]), [2, 3]),
    ]
    same_in_any_order(stack, attempts)
    assert rows(stack, f"{VALIDITY}, _deleted_at") == [
        (1, "a", at(1), at(2), False, None), (1, "b", at(2), at(5), False, at(5)),
        (2, "x", at(1), None, True, None),
        (3, "s", at(1), at(6), False, None), (3, "t", at(6), None, True, None),
    ]  # fmt: skip


def test_a_table_of_another_disposition_is_refused(stack: Stack):
    copy(stack, attempt(MERGE, 1, [(1, 1, "a")]))
    with pytest.raises(WarehouseError, match=r"made for another write disposition than scd2.*load the stream anew"):
        copy(stack, attempt(SCD2, 2, [(1, 1, "a")]))


# watermark


def test_the_cursor_never_goes_back(stack: Stack):
    numbered = contract((KEYED[0], column("at", "bigint", True), KEYED[2]))
    assert watermark(uri(stack), "retail_db", NAME) is None
    seen = []
    for window, high in [((0, 24), "9"), ((24, 48), "10"), ((0, 48), None), ((0, 24), "8")]:
        copy(stack, attempt(MERGE, 1, [], of=numbered, window=window, cursor_high=high))
        seen.append(watermark(uri(stack), "retail_db", NAME))
    assert seen == [Watermark(at(24), "9"), *[Watermark(at(48), "10")] * 3]


def test_the_ledger_tells_how_many_keys_were_compared(stack: Stack):
    copy(stack, attempt(stream(Write.MERGE, deletes=MISSING), 1, [(1, 1, "a")]), [1, 2, 3])
    copy(stack, attempt(MERGE, 2, []))
    assert stack.rows("select compared_keys from ops.loads order by load_id") == [(3,), (None,)]


def test_the_same_rows_in_another_attempt_change_nothing(stack: Stack):
    made = attempt(SCD2, 1, [(1, 1, "a"), (1, 2, "b")])
    copy(stack, made)
    before = rows(stack, VALIDITY)
    assert copy(stack, again(made)).loaded_rows == 0
    assert rows(stack, VALIDITY) == before
