"""Timestamps without a time zone: what moment they mean, and where a slice's bounds fall among them.

The rule for a clock that is set: a time that it shows twice means the first of the two moments; a time that it skips
means the moment at which it was set. So later times never mean earlier moments, and each row has one slice.
"""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

MOMENT = pa.timestamp("us", "UTC")
_NAIVE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?")
_TICK = timedelta(microseconds=1)


def to_utc(values: pa.Array, zone: ZoneInfo) -> pa.Array:
    """Moments that naive timestamps mean in a zone.

    :param values: Arrow timestamps without a zone, in microseconds.
    """
    return pc.assume_timezone(values, str(zone), ambiguous="earliest", nonexistent="latest").cast(MOMENT)


def moments_of(values: pa.Array, zone: ZoneInfo) -> pa.Array:
    """Moments as :func:`to_utc`; Postgres's infinities, the largest and the smallest integer, stay what they are."""
    numbers = values.cast(pa.int64())
    infinite = pc.is_in(numbers, value_set=pa.array([-(2**63), 2**63 - 1]))
    if not pc.any(infinite).as_py():
        return to_utc(values, zone)
    finite = to_utc(pc.if_else(infinite, pa.scalar(None, values.type), values), zone)
    return pc.if_else(infinite, numbers.cast(MOMENT), finite)


def text_to_utc(values: pa.Array, zone: ZoneInfo) -> pa.Array:
    """Moments that texts mean, as :func:`to_utc`.

    If one is no naive timestamp (it has an offset, or is none at all), all come as text: those that could be read
    with an offset, the others as they were, for the contract to judge.
    """
    try:
        return to_utc(values.cast(pa.timestamp("us")), zone)
    except pa.ArrowInvalid:
        texts = values.to_pylist()
        moments = to_utc(pa.array(map(_parsed, texts), pa.timestamp("us")), zone).to_pylist()
        pairs = zip(moments, texts, strict=True)
        return pa.array([moment.isoformat() if moment else text for moment, text in pairs], pa.string())


def _parsed(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text and _NAIVE.fullmatch(text) else None
    except ValueError:  # the thirtieth of February
        return None


def first_not_before(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the first naive timestamp of the zone that means the moment or a later one.

    ``time >= first_not_before(moment)`` holds for exactly those times for which ``to_utc(time) >= moment`` holds.
    """
    local = moment.astimezone(zone)
    if local.fold:  # the clock shows this hour for the second time: its times have passed, the next is yet to come
        return _end_of_repetition(local.replace(tzinfo=None), zone)
    before = (moment.astimezone(UTC) - _TICK).astimezone(zone)
    return before.replace(tzinfo=None) + _TICK  # not `local`: at the moment of a skip, the skipped times belong to it


def _end_of_repetition(time: datetime, zone: ZoneInfo) -> datetime:
    low, high = 0, 24 * 60 * 60  # seconds after `time`, cut to a second: still shown twice, no longer so
    start = time.replace(microsecond=0)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _is_repeated(start + timedelta(seconds=middle), zone) else (low, middle)
    return start + timedelta(seconds=high)


def _is_repeated(time: datetime, zone: ZoneInfo) -> bool:
    first, second = (time.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return first is not None and second is not None and first > second
