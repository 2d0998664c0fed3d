"""Which rows of a table a run reads."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from datastack.contract.database_sources import DatabaseStream, Incremental
from datastack.contract.model import Contract
from datastack.contract.slice import Slice
from datastack.contract.sources import Write

if TYPE_CHECKING:
    from datastack.source.database import Bound, Range

IN_TIME = ("timestamptz", "timestamp", "date")
WHOLE_NUMBERS = ("smallint", "integer", "bigint")


def range_start(
    stream: DatabaseStream, contract: Contract, window: Slice, given: bool, watermark: Callable[[], str | None]
) -> str | None:
    """Where reading begins on the cursor, as text; None for the table's beginning.

    A watermark stream goes on where the last load ended, less its look-back. A window that was given by hand goes
    before the watermark: from its start on where the cursor is a time, and the whole table where it is not.

    :param given: whether the window was given by hand.
    :param watermark: asks the ledger.
    """
    if stream.cursor is None or stream.write is Write.REPLACE:
        return None
    in_time = contract.type_of(stream.cursor) in IN_TIME
    if stream.incremental is Incremental.SLICE or given:
        return window.start.isoformat() if in_time else None
    high = watermark()
    return None if high is None else _text(_before(_value(contract, stream.cursor, high), stream.look_back))


def range_of(stream: DatabaseStream, contract: Contract, window: Slice, start: str | None) -> "Range | None":
    """Rows of a run.

    A row that enters by key leaves its slice when it changes again, so such a slice reads from its start on, without
    an end: the newest version wins whichever slice brings it, and none falls between an old slice and a new one.
    """
    from datastack.source.database import Range

    if stream.cursor is None or stream.write is Write.REPLACE:
        return None
    column = contract.path_of(stream.cursor)
    end = None if stream.is_keyed else window.end
    return Range(column, None if start is None else _value(contract, stream.cursor, start), end)


def _value(contract: Contract, cursor: str, text: str) -> "Bound":
    kind = contract.type_of(cursor)
    if kind in IN_TIME:
        return datetime.fromisoformat(text)
    return int(text) if kind in WHOLE_NUMBERS else text


def _before(value: "Bound", look_back: int | timedelta) -> "Bound":
    if isinstance(value, datetime) and isinstance(look_back, timedelta):
        return value - look_back
    return value - look_back if isinstance(value, int) and isinstance(look_back, int) else value


def _text(value: "Bound") -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
