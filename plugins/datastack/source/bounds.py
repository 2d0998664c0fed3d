"""A cursor's bounds: moments, numbers and texts as a column's values are compared with them, and back."""

import math
import re
from datetime import UTC, datetime, time
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

import pyarrow as pa

from datastack.source.database import Bound
from datastack.source.errors import SourceError
from datastack.source.naive import first_not_before, to_utc

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|true|false")


class Kind(StrEnum):
    """What a source type is to us: how its values are written as literals and read as bounds."""

    NUMBER = "number"
    TEXT = "text"  # also what has no kind of its own: compared with a text, the database casts
    BYTES = "bytes"
    DATE = "date"
    DATETIME = "timestamp without a time zone"
    INSTANT = "timestamp with a time zone"  # selected as text in UTC, without an offset


def bound_text(name: str, kind: Kind, bound: Bound, zone: ZoneInfo | None) -> str:
    """Text of a cursor's bound, as the column's values are compared with it.

    Bounds in time are moments. A naive timestamp is compared with the zone's first time that means the moment or a
    later one; a date counts as its midnight in the zone, or in UTC where none is declared.

    :raises SourceError: if the bound does not go with the column, or a zone is needed and not declared.
    """
    if isinstance(bound, datetime):
        if kind is Kind.INSTANT:
            return timestamp_text(bound.astimezone(UTC))
        if kind is Kind.DATE:
            local = first_not_before(bound, zone or ZoneInfo("UTC"))
            return _next_midnight(local)
        if kind is Kind.DATETIME:
            return timestamp_text(first_not_before(bound, needed(name, zone)))
    elif kind is Kind.NUMBER or (kind is Kind.TEXT and isinstance(bound, str)):
        return bound if isinstance(bound, str) else repr(bound)
    raise SourceError(
        f"cursor {name} holds values of kind {kind.value}, which can't be compared with {bound!r}. Name another "
        "cursor, or use `incremental: watermark` where slices in time do not fit"
    )


def _next_midnight(local: datetime) -> str:
    day = local.date() if local.time() == time() else local.date().fromordinal(local.toordinal() + 1)
    return day.isoformat()


def timestamp_text(value: datetime) -> str:
    """Write a timestamp to the microsecond, without its zone."""
    return value.replace(tzinfo=None).isoformat(" ", "microseconds")


def needed(name: str, zone: ZoneInfo | None) -> ZoneInfo:
    """Return the zone.

    :raises SourceError: if none is declared, naming the column that needs it.
    """
    if zone is None:
        raise SourceError(
            f"column {name} has timestamps without a time zone: say which zone they are in by a line "
            "`timezone: Europe/Amsterdam` (or UTC) in the source file"
        )
    return zone


def bound_of(name: str, kind: Kind, text: str, zone: ZoneInfo | None) -> Bound:
    """Make a bound of a column's value: what :func:`bound_text` takes.

    Of a number that has no equal it is the next lower double, so that nothing is left out by reading from there on.

    :raises SourceError: if a time is none, or needs a zone.
    """
    if kind is Kind.NUMBER and NUMBER.fullmatch(text):
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else _not_above(text)
    if kind not in (Kind.DATE, Kind.DATETIME, Kind.INSTANT):
        return text
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SourceError(f"the highest value of {name}, {text!r}, is no time that a slice can start from") from None
    if kind is Kind.INSTANT:
        return found.replace(tzinfo=UTC)
    known = needed(name, zone) if kind is Kind.DATETIME else zone or ZoneInfo("UTC")
    moment: datetime = to_utc(pa.array([found], pa.timestamp("us")), known)[0].as_py()
    return moment.astimezone(UTC)


def _not_above(text: str) -> float:
    near = float(text)
    return near if Decimal(near) <= Decimal(text) else math.nextafter(near, -math.inf)
