"""Naive times and moments agree wherever clocks are set."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datastack.source.naive import first_not_before, text_to_utc, to_utc

HOUR = 3600 * 10**6
CHANGES = [  # zone, moment at which its clock was set: forward, back, by half an hour, over a whole day
    ("Europe/Amsterdam", datetime(2024, 3, 31, 1, tzinfo=UTC)),
    ("Europe/Amsterdam", datetime(2024, 10, 27, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2024, 11, 3, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2024, 4, 6, 15, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2024, 10, 5, 15, 30, tzinfo=UTC)),
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ("UTC", datetime(2024, 1, 1, tzinfo=UTC)),
]
near = st.integers(-3 * HOUR, 3 * HOUR) | st.sampled_from(
    [half * HOUR // 2 + d for half in range(-6, 7) for d in (-1, 0, 1)]
)


def meant(time: datetime, zone: ZoneInfo) -> datetime:
    return to_utc(pa.array([time], pa.timestamp("us")), zone)[0].as_py()


@settings(deadline=None)
@given(change=st.sampled_from(CHANGES), moment=near, other=near)
@example(change=CHANGES[0], moment=0, other=0)
@example(change=CHANGES[1], moment=HOUR // 2, other=0)
def test_a_time_is_beyond_a_bound_when_its_moment_is(change: tuple[str, datetime], moment: int, other: int):
    zone, start = ZoneInfo(change[0]), change[1] + timedelta(microseconds=moment)
    bound = first_not_before(start, zone)
    time = (change[1] + timedelta(microseconds=other)).astimezone(zone).replace(tzinfo=None)
    skipped = time + timedelta(minutes=30)
    for one in (time, skipped, bound, bound - timedelta(microseconds=1)):
        assert (one >= bound) == (meant(one, zone) >= start), (one, bound)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-07-01 12:00:00.000001", "2024-07-01T10:00:00.000001+00:00"),
        ("2024-07-01", "2024-06-30T22:00:00+00:00"),
        ("2024-10-27T02:30", "2024-10-27T00:30:00+00:00"),
        ("2024-07-01T12:00:00Z", "2024-07-01T12:00:00Z"),
        ("2024-07-01 12:00:00.1234567", "2024-07-01 12:00:00.1234567"),
        ("2024-02-30", "2024-02-30"),
        ("20240701", "20240701"),
        ("", ""),
        (None, None),
    ],
)
def test_texts_become_moments_beside_others_that_are_none(text: str | None, expected: str | None):
    found = text_to_utc(pa.array([text, "never"]), ZoneInfo("Europe/Amsterdam"))
    assert found.to_pylist() == [expected, "never"]
    if expected and "+" in expected:
        (alone,) = text_to_utc(pa.array([text]), ZoneInfo("Europe/Amsterdam")).to_pylist()
        assert alone == datetime.fromisoformat(expected)
