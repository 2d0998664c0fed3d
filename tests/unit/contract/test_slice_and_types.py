"""Slices are half-open UTC windows; types are known in Arrow."""

from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest

from datastack.contract.slice import Slice
from datastack.contract.types import arrow_type


def test_a_slice_is_kept_in_utc():
    east = timezone(timedelta(hours=2))
    window = Slice(datetime(2026, 1, 1, tzinfo=east), datetime(2026, 1, 2, tzinfo=east))
    assert window.start == datetime(2025, 12, 31, 22, tzinfo=UTC)
    assert window.start.tzinfo is UTC
    assert window.name == "20251231T220000Z_20260101T220000Z"


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        ("2026-01-01", "2026-01-02T00:00:00Z", "no time zone"),
        ("2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", "is empty"),
        ("2026-01-03T00:00:00Z", "2026-01-02T00:00:00Z", "is empty"),
        ("yesterday", "2026-01-02T00:00:00Z", "yesterday"),
    ],
)
def test_what_is_not_a_window_is_refused(start: str, end: str, says: str):
    with pytest.raises(ValueError, match=says):
        Slice.parse(start, end)


def test_numerics_keep_precision_and_scale():
    assert arrow_type("numeric(10,2)") == pa.decimal128(10, 2)
    assert arrow_type("numeric(38,9)") == pa.decimal128(38, 9)


@pytest.mark.parametrize("name", ["decimal", "numeric(39,2)", "numeric(2,3)", "varchar", "BIGINT", ""])
def test_unknown_types_are_refused(name: str):
    with pytest.raises(ValueError, match="is not known; use one of"):
        arrow_type(name)
