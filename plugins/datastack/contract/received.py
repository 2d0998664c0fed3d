"""What was landed, made into rows: what readers of every format give, and what conforming takes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import pyarrow as pa


class Unreadable(NamedTuple):
    """What is no row at all: why, its raw text, and its number (line, or document) in the object, counted from 1."""

    reason: str
    raw: str | bytes
    number: int | None = None


@dataclass(frozen=True)
class Records:
    """Where the records stand in a document.

    ``path`` leads to a list of records, or to a single one; None if the document is that itself. Records of a child
    stream stand in enclosing records: ``within`` is the path of those in the document (empty: the document is the only
    one), ``path`` is relative to each, and ``above`` is what ``^`` means in them (empty: the enclosing record itself).
    """

    path: str | None = None
    within: str | None = None
    above: str = ""


@dataclass(frozen=True)
class Received:
    """Some rows as they were received.

    ``kind`` says what ``batch`` holds: ``typed`` columns (databases, Parquet), ``texts`` (all columns are strings,
    named as in the file: CSV, Excel), or ``documents`` (one column of strings or, as they need not be UTF-8, binary:
    JSON).
    ``records`` says where the records stand in each document. ``unreadable`` holds what is no row at all, to be
    quarantined. ``object`` is the key of the object that all this came from, ``first`` the number of the batch's first
    row, line or document in it, counted from 1: a quarantined row is found there again.
    """

    batch: "pa.RecordBatch"
    kind: Literal["typed", "texts", "documents"]
    unreadable: tuple[Unreadable, ...] = ()
    records: Records = Records()
    object: str | None = None
    first: int = 1
