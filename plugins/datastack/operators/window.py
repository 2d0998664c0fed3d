"""The slice that a task run stands for."""

from datetime import datetime
from typing import Any

from croniter import croniter

from datastack.contract.slice import Slice


def is_given(context: Any) -> bool:
    """Whether a person gave the run its window."""
    return bool(context["params"].get("window_start"))


def given(context: Any) -> Slice | None:
    """Window that a person gave the run by its ``window_start`` and ``window_end`` params, if one did.

    :raises ValueError: if only one of the params is set, or they are not a window.
    """
    start, end = (context["params"].get(name) for name in ("window_start", "window_end"))
    if bool(start) != bool(end):
        raise ValueError("set both window_start and window_end, or neither of them")
    return Slice.parse(start, end) if start and end else None


def window(context: Any, schedule: str) -> Slice:
    """Slice of a run: its ``window_start`` and ``window_end`` params, else its data interval.

    A run that was triggered without a logical date has no interval: it stands for the last complete one.

    :param schedule: the DAG's cron expression.
    :raises ValueError: if only one of the params is set, or they are not a window.
    """
    if by_hand := given(context):
        return by_hand
    run = context["dag_run"]
    if run.data_interval_start and run.data_interval_end and run.data_interval_start < run.data_interval_end:
        return Slice(run.data_interval_start, run.data_interval_end)
    ticks = croniter(schedule, run.run_after, ret_type=datetime)
    last = run.run_after if croniter.match(schedule, run.run_after) else ticks.get_prev()
    return Slice(croniter(schedule, last, ret_type=datetime).get_prev(), last)
