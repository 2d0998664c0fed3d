"""Files that are delivered, again and in other versions: the table holds each file once, in its newest version."""

from itertools import permutations
from typing import Any

import pytest

from datastack.contract.sources import Write
from datastack.warehouse.ledger import loaded_objects
from datastack.warehouse.load import Status, WarehouseError
from tests.integration.attempts import NAME, TABLE, again, at, attempt, copy, delivered, forget, rows, stream, uri
from tests.integration.harness import Stack

APPEND, REPLACE = stream(Write.APPEND), stream(Write.REPLACE)


def file(
    key: str, version: str, modified: float, extracted: float, *values: str, how: Any = APPEND, **more: Any
) -> Any:
    """Make an attempt at a version of a file, with a row for each value."""
    made = [(number, 1, value) for number, value in enumerate(values)]
    return attempt(how, extracted, made, delivered=delivered(key, version, modified), **more)


def reconciled(stack: Stack) -> bool:
    """Whether the rows of the loads that stand are those of the table."""
    stand = "select sum(loaded_rows) from ops.loads inner join ops.load_states using (load_id) where stands"
    return bool(stack.one(stand) == stack.one(f"select count(*) from {TABLE}"))


def in_any_order(stack: Stack, *attempts: Any) -> list[tuple[Any, ...]]:
    """Load attempts in each order, the first one twice; return the table."""
    found = set()
    for order in permutations(attempts):
        forget(stack)
        for made in (*order, order[0]):
            copy(stack, made)
        assert reconciled(stack)
        found.add(str(rows(stack, "v")))
    assert len(found) == 1, found
    return rows(stack, "v")


def test_files_of_one_window_stand_beside_each_other(stack: Stack):
    assert in_any_order(stack, file("a", "1", 1, 5, "a", "a"), file("b", "1", 1, 5, "b")) == [("a",), ("a",), ("b",)]


def test_files_whose_windows_overlap_in_part(stack: Stack):
    attempts = file("a", "1", 1, 5, "a", window=(0, 48)), file("b", "1", 2, 6, "b", window=(24, 72))
    assert in_any_order(stack, *attempts) == [("a",), ("b",)]


@pytest.mark.parametrize("window", [(0, 24), (24, 48)], ids=["same window", "another window"])
def test_the_newest_version_of_a_file_stands_whatever_comes_first(stack: Stack, window: tuple[float, float]):
    attempts = (
        file("a", "1", 1, 9, "old", "old"),
        file("a", "2", 3, 7, "new", window=window),
        file("a", "3", 2, 8, "between"),
        file("b", "1", 1, 5, "b"),
    )
    assert in_any_order(stack, *attempts) == [("b",), ("new",)]
    assert loaded_objects(uri(stack), "retail_db", NAME) == {"a": "2", "b": "1"}


def test_versions_of_the_same_second_are_told_apart_by_when_they_were_read(stack: Stack):
    assert in_any_order(stack, file("a", "1", 1, 5, "first"), file("a", "2", 1, 6, "second")) == [("second",)]


def test_an_older_version_is_recorded_as_superseded(stack: Stack):
    copy(stack, file("a", "2", 2, 5, "new"))
    outcome = copy(stack, file("a", "1", 1, 9, "old", "older"))
    assert (outcome.status, outcome.loaded_rows) == (Status.SUPERSEDED, 0)
    recorded = (
        "select object_key, object_etag, object_modified_at, object_bytes, superseded from ops.loads order by 1, 2"
    )
    assert stack.rows(recorded) == [("a", "1", at(1), 1, True), ("a", "2", at(2), 1, False)]


def test_a_file_that_is_delivered_again_as_it_was_changes_nothing(stack: Stack):
    copy(stack, file("a", "1", 1, 5, "a"))
    outcome = copy(stack, file("a", "1", 8, 9, "a"))
    assert (outcome.status, rows(stack, "v, _load_id")) == (Status.LOADED, [("a", outcome.load_id)])


def test_a_version_that_was_delivered_before_comes_back(stack: Stack):
    attempts = file("a", "1", 1, 5, "a"), file("a", "2", 2, 6, "b"), file("a", "1", 3, 7, "a")
    assert in_any_order(stack, *attempts) == [("a",)]


def test_of_a_version_what_was_conformed_last_stands(stack: Stack):
    """An older landing of the same bytes, conformed anew after the contract changed."""
    attempts = (
        file("a", "1", 1, 5, "as the new contract has it", conformed_at=at(20)),
        file("a", "1", 1, 6, "as the old contract has it", conformed_at=at(7)),
    )
    assert in_any_order(stack, *attempts) == [("as the new contract has it",)]


def test_an_api_slice_that_is_conformed_anew_takes_the_place_of_itself(stack: Stack):
    old, new = (attempt(APPEND, 5, [(1, 1, value)], conformed_at=at(hour)) for value, hour in (("a", 6), ("b", 7)))
    assert in_any_order(stack, new, old) == [("b",)]


def test_a_version_without_rows_empties_what_its_file_brought(stack: Stack):
    assert in_any_order(stack, file("a", "1", 1, 5, "a"), file("a", "2", 2, 6)) == []


def test_the_newest_file_is_the_table(stack: Stack):
    attempts = (
        file("2019-01", "1", 1, 9, "january", how=REPLACE),
        file("2019-03", "1", 3, 5, "march", how=REPLACE),
        file("2019-02", "1", 3, 7, "february", how=REPLACE),
    )
    assert in_any_order(stack, *attempts) == [("march",)]


def test_files_that_enter_by_key(stack: Stack):
    merge = stream(Write.MERGE)
    attempts = (
        attempt(merge, 5, [(1, 1, "a"), (2, 2, "b")], delivered=delivered("a", "1", 1)),
        attempt(merge, 6, [(1, 2, "c")], delivered=delivered("b", "1", 2)),
    )
    found = set()
    for order in permutations(attempts):
        forget(stack)
        for made in order:
            copy(stack, made)
        found.add(str(rows(stack, "id, v")))
    assert found == {str([(1, "c"), (2, "b")])}


def test_rows_of_a_file_that_are_outside_of_its_slice_are_refused(stack: Stack):
    made = attempt(stream(Write.REPLACE_SLICE), 5, [(1, 1, "a"), (2, 30, "b")], delivered=delivered("a", "1", 1))
    with pytest.raises(
        WarehouseError, match=r"things .* \(a\): 1 rows arrived .*manifest says 2.*outside of the slice"
    ):
        copy(stack, made)


def test_which_files_are_loaded(stack: Stack):
    assert loaded_objects(uri(stack), "retail_db", NAME) == {}
    copy(stack, attempt(APPEND, 1, []))
    copy(stack, file("a", "1", 1, 5, "a"))
    copy(stack, again(file("a", "2", 2, 6, "a")))
    assert loaded_objects(uri(stack), "retail_db", NAME) == {"a": "2"}
    assert loaded_objects(uri(stack), "retail_db", "transactions") == {}
