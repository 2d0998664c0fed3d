"""The initial load's window, and what its progress looks like."""

import io
from datetime import UTC, date, datetime, timedelta

from local.main_job import weeks, window
from local.progress import Progress


def test_the_window_ends_today_while_the_year_lasts():
    start, end = window(date(2026, 11, 22), datetime(2026, 11, 25, 17, 30, tzinfo=UTC))
    assert end == datetime(2026, 11, 25, tzinfo=UTC)
    # 477 weeks from 2017-10-01
    assert start == datetime(2017, 1, 1, tzinfo=UTC) + timedelta(weeks=477)


def test_the_window_ends_with_the_data_when_they_are_over():
    start, end = window(date(2019, 6, 2), datetime(2026, 11, 25, tzinfo=UTC))
    assert end - start == timedelta(days=366), "the last purchases are of the first hours after the year"


def test_the_weeks_are_those_that_are_over():
    first = datetime(2016, 12, 26, tzinfo=UTC) + timedelta(weeks=477)
    for day, end in [(22, 16), (23, 23), (24, 23), (29, 23)]:  # the 23rd is a Monday
        start, found = weeks(date(2026, 11, 22), datetime(2026, 11, day, 0, 0, 1, tzinfo=UTC))
        assert (start, found) == (first, datetime(2026, 11, end, tzinfo=UTC))


def test_the_weeks_end_with_the_data_when_they_are_over():
    start, end = weeks(date(2019, 6, 2), datetime(2026, 11, 25, tzinfo=UTC))
    assert end - start == timedelta(weeks=53)


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
