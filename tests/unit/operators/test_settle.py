"""Settling: what is waited for, and for how long. Airflow answers through the task instance; here a small one does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from datastack.operators.settle import SettleOperator

DAGS = ["ingest_a", "ingest_b"]


class FakeTask:
    """The two counts that Airflow's task instance gives, and when the task first waited."""

    def __init__(self, runs: dict[str, int], tasks: dict[str, int], minutes: float | None = None) -> None:
        self.runs, self.tasks, self.minutes = runs, tasks, minutes

    def get_dr_count(self, *, dag_id: str, states: list[str]) -> int:
        return sum(self.runs.get(state, 0) for state in states) if dag_id == "ingest_b" else 0

    def get_ti_count(self, *, dag_id: str, states: list[str]) -> int:
        return sum(self.tasks.get(state, 0) for state in states) if dag_id == "ingest_b" else 0

    def get_first_reschedule_date(self, context: Any) -> datetime | None:
        return None if self.minutes is None else datetime.now(UTC) - timedelta(minutes=self.minutes)


def poke(ti: FakeTask) -> bool:
    return SettleOperator(task_id="settle", dag_ids=DAGS).poke({"ti": ti})


@pytest.mark.parametrize(
    ("runs", "tasks", "goes_on"),
    [
        ({}, {}, True),
        ({"success": 30}, {"success": 90, "failed": 1, "skipped": 2}, True),
        ({"queued": 1}, {}, False),
        ({"running": 1}, {"running": 1}, False),
        ({"running": 1}, {"up_for_retry": 1}, False),
        ({"running": 1}, {"scheduled": 1, "deferred": 1}, False),
        ({"running": 1}, {"success": 1}, False),  # between two tasks
        ({"running": 1}, {"deferred": 1}, True),  # waits for a file, perhaps for days
        ({"running": 1, "queued": 3}, {"deferred": 1}, False),
    ],
)
def test_it_waits_for_what_is_at_work(runs: dict[str, int], tasks: dict[str, int], goes_on: bool):
    assert poke(FakeTask(runs, tasks)) is goes_on


@pytest.mark.parametrize(("minutes", "goes_on"), [(29, False), (31, True)])
def test_after_half_an_hour_it_goes_on_and_says_so(
    minutes: float, goes_on: bool, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
):
    assert poke(FakeTask({"queued": 7}, {"running": 2}, minutes)) is goes_on
    said = caplog.text + "".join(capsys.readouterr())
    assert "ingest_b has 7 queued runs and 2 active tasks" in said
    assert ("still loading after" in said) is goes_on


def test_it_holds_no_worker():
    assert SettleOperator(task_id="settle", dag_ids=DAGS).reschedule
