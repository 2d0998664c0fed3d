"""Waiting for the file of a window: the triggerer looks, no worker is held, and what is missing is named."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from airflow.triggers.base import TriggerEvent

from datastack.operators.arrival import AwaitFilesOperator, FilesTrigger
from tests.integration.files import web
from tests.integration.files.partner import Partner, context, csv_of, name_of, week

WAITING = {"wait": "P2D", "look_every": "PT1S"}


@pytest.fixture
def waiting(partner: Partner) -> Partner:
    partner.declare(WAITING)
    return partner


def operator() -> AwaitFilesOperator:
    return AwaitFilesOperator(task_id="await", source="partner", stream="sales")


def deferred(scheduled: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as raised:
        operator().execute(context(None, scheduled))
    return raised.value


def again(trigger: FilesTrigger) -> FilesTrigger:
    """Make the trigger anew from what the database keeps of it, as another triggerer does."""
    path, arguments = trigger.serialize()
    assert path == "datastack.operators.arrival.FilesTrigger"
    assert all(isinstance(value, str) for value in arguments.values())
    return FilesTrigger(**arguments)


def first_event(trigger: FilesTrigger, meanwhile: Callable[[], None] = lambda: None) -> dict[str, Any]:
    async def run() -> TriggerEvent:
        events = trigger.run()
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0.3)
        meanwhile()
        return await asyncio.wait_for(waiting, 30)

    return asyncio.run(run()).payload


def trigger_of(scheduled: Any, until: datetime) -> FilesTrigger:
    return FilesTrigger("partner", "sales", *scheduled, until.isoformat())


def looked(scheduled: Any) -> list[str]:
    """What a task says that has nothing to wait for."""
    return operator().execute(context(None, scheduled))


def now() -> tuple[str, str]:
    """Window of a week that is just over, as other weeks are not in the tests."""
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (end - timedelta(weeks=1)).isoformat(), end.isoformat()


def test_a_run_leaves_the_waiting_to_the_triggerer(waiting: Partner):
    window = now()
    left = deferred(window)
    assert left.method_name == "arrived"
    assert left.trigger.until == (datetime.fromisoformat(window[1]) + timedelta(days=2)).isoformat()
    name = f"sales_{window[0][:10]}.csv"
    event = first_event(again(left.trigger), lambda: waiting.put(name, csv_of(1)))
    assert event == {"found": [name]}
    assert operator().arrived(context(None, window), event) == [name]


def test_a_run_whose_file_is_there_waits_for_nothing(waiting: Partner):
    """A trigger that fires too soon is lost on the scheduler, which tries the task again after its retry delay."""
    waiting.put(name_of(1), csv_of(1))
    assert looked(week(1)) == [name_of(1)]


def test_no_secret_is_kept_with_a_trigger(waiting: Partner):
    kept = str(deferred(now()).trigger.serialize())
    admin = waiting.stack.lake.admin
    assert admin.secret_key not in kept
    assert admin.access_key not in kept


def test_a_file_that_comes_while_somebody_waits(waiting: Partner):
    until = datetime.now(UTC) + timedelta(minutes=5)
    event = first_event(trigger_of(week(2), until), lambda: waiting.put(name_of(2), csv_of(1)))
    assert event == {"found": [name_of(2)]}


def test_a_file_that_does_not_come(waiting: Partner):
    waiting.put(name_of(2), csv_of(1))  # of another week
    with pytest.raises(AirflowFailException) as missing:
        looked(week(1))
    for said in (
        "partner.sales [2019-11-04T00:00:00+00:00, 2019-11-11T00:00:00+00:00)", "'sales_*'", "2019-11-04", "partner/in",
        "2 days", "(not there)", "clear this task",
    ):  # fmt: skip
        assert said in str(missing.value)
    event = first_event(trigger_of(week(1), datetime.now(UTC) + timedelta(seconds=1)))
    with pytest.raises(AirflowFailException, match="no file like 'sales_"):
        operator().arrived(context(None, week(1)), event)


def test_a_file_that_is_not_complete(partner: Partner):
    partner.declare(WAITING | {"done": "{key}.ok", "exclude": ["*.ok"]})
    partner.put(name_of(1), csv_of(1))
    with pytest.raises(AirflowFailException, match=r"there, but not complete: sales_2019-11-04\.csv"):
        looked(week(1))
    partner.put(name_of(1) + ".ok", b"")
    assert looked(week(1)) == [name_of(1)]


def test_a_file_that_is_loaded_already_is_there(waiting: Partner):
    """A run that is cleared goes on, and finds nothing new."""
    waiting.put(name_of(1), csv_of(1))
    waiting.load(scheduled=week(1))
    assert looked(week(1)) == [name_of(1)]
    assert waiting.extract(scheduled=week(1)) == []


def test_a_store_that_fails_for_a_while(partner: Partner):
    with web.serving() as server:
        partner.at("http", "/out", conn_type="http", host=server.url)
        partner.declare(WAITING | {"files": "sales_{period}.csv"})
        server.files[f"/out/{name_of(1)}"] = web.File(csv_of(1))
        server.answers[f"/out/{name_of(1)}"] = [403]
        until = datetime.now(UTC) + timedelta(minutes=5)
        assert first_event(trigger_of(week(1), until)) == {"found": [name_of(1)]}
        server.answers[f"/out/{name_of(1)}"] = [403]
        with pytest.raises(AirflowFailException, match="403 Forbidden"):
            looked(week(1))
