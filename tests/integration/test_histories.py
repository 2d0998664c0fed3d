"""Histories of attempts, made up at random: the table is what the rules say of them, in whatever order they came."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datastack.contract.sources import Write
from tests.integration.attempts import MISSING, at, attempt, copy, forget, rows, stream
from tests.integration.harness import Stack

APPEND = stream(Write.APPEND)
SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
VALIDITY = "id, v, _valid_from, _valid_to, _is_current"
MOMENTS = st.integers(1, 4)
ROWS = st.lists(st.tuples(st.integers(1, 3), MOMENTS, st.sampled_from("ab")), max_size=4)
HISTORY = st.lists(st.tuples(ROWS, st.sets(st.integers(1, 4))), min_size=1, max_size=5)


def newest(history: list[Any], key: tuple[int, ...]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Return, by those places of a row, the row that must stand: newest cursor, then latest reading, then greatest."""
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    for extracted, (made, _) in enumerate(history, 1):
        for row in made:
            name = tuple(row[place] for place in key)
            found[name] = max(found.get(name, (0, 0, "")), (row[1], extracted, row[2]))
    return found


def deaths(history: list[Any]) -> dict[int, datetime | None]:
    """Return when each key was first missed since it was last seen."""
    gone: dict[int, datetime | None] = {}
    for extracted, (made, listed) in enumerate(history, 1):
        seen = listed | {row[0] for row in made}
        gone |= dict.fromkeys(seen) | {key: at(extracted) for key in gone if key not in seen and gone[key] is None}
    return gone


@pytest.mark.parametrize("write", [Write.MERGE, Write.SCD2])
@given(data=st.data())
@settings(max_examples=15, **SLOW)
def test_any_history_in_any_order(stack: Stack, write: Write, data: st.DataObject):
    history = data.draw(HISTORY)
    how = stream(write, deletes=MISSING)
    attempts = [(attempt(how, time, made), listed) for time, (made, listed) in enumerate(history, 1)]
    order = data.draw(st.permutations([*attempts, *attempts[:2]]))
    forget(stack)
    for made, listed in order:
        copy(stack, made, listed)
    gone = deaths(history)
    if write is Write.MERGE:
        wanted = [(key, at(c), v, gone[key]) for (key,), (c, _, v) in sorted(newest(history, (0,)).items())]
        assert rows(stack, "id, at, v, _deleted_at") == wanted
        return
    versions = sorted((key, c, v) for (key, c), (_, _, v) in newest(history, (0, 1)).items())
    wanted = []
    for (key, moment, v), after in zip(versions, [*versions, (0, 0, "")][1:], strict=True):
        if after[0] == key:
            wanted.append((key, v, at(moment), at(after[1]), False))
        else:
            ends = gone[key] and max(gone[key], at(moment))
            wanted.append((key, v, at(moment), ends, ends is None))
    assert rows(stack, VALIDITY) == sorted(wanted, key=lambda row: row[:3])


@given(data=st.data())
@settings(max_examples=10, **SLOW)
def test_appended_windows_in_any_order(stack: Stack, data: st.DataObject):
    """Of windows that overlap, the later one covers the earlier ones: others are refused."""
    days = data.draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), min_size=1, max_size=5))
    windows = [*((24 * day, 24 * day + 24) for day, _ in days), (0, 48)][: data.draw(st.integers(1, 6))]
    attempts = [
        attempt(APPEND, time, [(time, at_, "v")], window=(at_, end)) for time, (at_, end) in enumerate(windows, 1)
    ]
    forget(stack)
    for made in data.draw(st.permutations([*attempts, attempts[0]])):
        copy(stack, made)
    last = {
        time
        for time, (start, end) in enumerate(windows, 1)
        if all(not (s <= start and end <= e) for s, e in windows[time:])
    }
    assert {row[0] for row in rows(stack, "id")} == last
