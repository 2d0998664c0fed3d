"""The initial load's window, and what its progress looks like."""

import io
from datetime import UTC, date, datetime, timedelta

from local.main_job import window
from local.progress import Progress


def test_the_window_ends_today_while_the_year_lasts():
    start, end = window(date(2026, 11, 22), datetime(2026, 11, 25, 17, 30, tzinfo=UTC))
    assert end == datetime(2026, 11, 25, tzinfo=UTC)
    # 477 weeks from 2017-10-01
    assert start == datetime(2017, 1, 1, tzinfo=UTC) + timedelta(weeks=477)


def test_the_window_ends_with_the_data_when_they_are_over():
    start, end = window(date(2019, 6, 2), datetime(2026, 11, 25, tzinfo=UTC))
    assert end - start == timedelta(days=366), "the last purchases are of the first hours after the year"


def test_progress_elsewhere_than_on_a_terminal_prints_changes_only():
    stream = io.StringIO()
    progress = Progress(stream, quiet_seconds=60)
    for stage, detail in [("load", "1 of 9"), ("load", "1 of 9"), ("load", "2 of 9"), ("check", ""), ("check", "")]:
        progress.show(stage, detail)
    assert [line[8:] for line in stream.getvalue().splitlines()] == ["load: 1 of 9", "check"]


def test_progress_on_a_terminal_is_one_line():
    stream = io.StringIO()
    stream.isatty = lambda: True
    with Progress(stream) as progress:
        progress.show("load", "1 of 9")
        progress.show("load", "2 of 9")
    assert "\n" not in stream.getvalue()
    assert stream.getvalue().count("\r") == 3
