"""How a source is read: `include/sources/<source>.yml` as frozen models."""

from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from datastack.contract.model import Frozen, Identifier


class Write(StrEnum):
    """How a slice enters its warehouse table."""

    REPLACE_SLICE = "replace_slice"  # rows of the window are exchanged; needs a cursor
    APPEND = "append"  # rows of the slice are added; loaded again, they take the place of what the slice brought before
    MERGE = "merge"  # rows enter by key, the newest cursor wins; needs a key and a cursor
    REPLACE = "replace"  # the whole table is exchanged by a snapshot
    SCD2 = "scd2"  # every version of a row is kept, with its time of validity; needs a key and a cursor


_BY_KEY = (Write.MERGE, Write.SCD2)
_WITH_CURSOR = (Write.REPLACE_SLICE, *_BY_KEY)


class Stream(Frozen):
    """What every stream declares, whatever its source is."""

    write: Write
    cursor: Identifier | None = None

    @model_validator(mode="after")
    def _cursor_where_needed(self) -> "Stream":
        if self.write in _WITH_CURSOR and self.cursor is None:
            raise ValueError(f"write: {self.write.value} needs a cursor: name the column that dates a row")
        return self

    @property
    def is_keyed(self) -> bool:
        """Whether rows enter by their key."""
        return self.write in _BY_KEY


class Incremental(StrEnum):
    """Which rows a slice reads, where there is a cursor."""

    SLICE = "slice"  # those whose cursor lies in the slice
    WATERMARK = "watermark"  # those beyond what was loaded before, and some of what was: the look-back


class SoftDelete(Frozen):
    """The source marks a deleted row in a column: true, or the time of it."""

    by: Literal["column"]
    column: Identifier


class MissingKeys(Frozen):
    """The source forgets a deleted row: its key is missed when all keys are compared."""

    by: Literal["key"]


class Chunks(Frozen):
    """How a large table is taken apart along its key.

    ``rows`` is the size of a chunk; chunks are read by ``tasks`` mapped tasks, hence by as many workers.
    """

    rows: int = Field(default=500_000, ge=1)
    tasks: int = Field(default=1, ge=1, le=64)


class DatabaseStream(Stream):
    """A table, read whole or by its cursor column.

    ``look_back`` is a time for cursors in time, as ``P3D``, and a number for others: rows that came late by less are
    found again by reading that much before the watermark.
    """

    table: str = Field(min_length=1, description="schema.table, or table where the database has no schemas")
    incremental: Incremental = Incremental.SLICE
    look_back: Annotated[int, Field(ge=0)] | timedelta = 0
    deletes: Annotated[SoftDelete | MissingKeys, Field(discriminator="by")] | None = None
    chunks: Chunks = Chunks()

    @model_validator(mode="after")
    def _fits_its_write(self) -> "DatabaseStream":
        if self.incremental is Incremental.WATERMARK and not self.is_keyed:
            raise ValueError(
                f"incremental: watermark reads rows again, so they must enter by key: use write: merge or scd2, "
                f"not {self.write.value}"
            )
        if self.look_back and self.incremental is not Incremental.WATERMARK:
            raise ValueError("look_back goes with incremental: watermark: a slice reads all of its rows anyway")
        if self.deletes and not self.is_keyed:
            raise ValueError(f"deletes need write: merge or scd2: {self.write.value} follows its source by itself")
        return self


class PageNumber(Frozen):
    """Pages are asked for by number, from 1."""

    kind: Literal["page_number"]
    page_param: str = "page"
    size_param: str = "page_size"
    size: int = Field(gt=0)


class Offset(Frozen):
    """Pages are asked for by the number of records to pass over."""

    kind: Literal["offset"]
    offset_param: str = "offset"
    limit_param: str = "limit"
    limit: int = Field(gt=0)


class Cursor(Frozen):
    """Each page names the next one; the last one names none."""

    kind: Literal["cursor"]
    cursor_param: str = "cursor"
    next_path: str = "next_cursor"
    size_param: str = "limit"
    size: int = Field(gt=0)


class ApiStream(Stream):
    """An endpoint. ``params`` may use ``{slice_start}`` and ``{slice_end}``."""

    path: str = Field(pattern=r"^/")
    records: str = Field(min_length=1, description="where the list of records stands in a page")
    total: str | None = Field(default=None, description="where a page says how many records there are in all")
    params: dict[str, str] = Field(default={})
    pagination: Annotated[PageNumber | Offset | Cursor, Field(discriminator="kind")]


class OAuth2ClientCredentials(Frozen):
    """A bearer token for the connection's login and password (RFC 6749, section 4.4)."""

    kind: Literal["oauth2_client_credentials"]
    token_path: str = Field(pattern=r"^/")


class _Source(Frozen):
    name: Identifier
    description: str = Field(min_length=1)
    connection: Identifier
    owner: str = Field(min_length=1)
    domain: Identifier
    tier: int = Field(ge=1, le=3)
    schedule: str = Field(min_length=1, description="five-field cron, UTC")
    start_date: date


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone: write it as Europe/Amsterdam or UTC") from None
    return name


class DatabaseSource(_Source):
    """A database and its tables.

    ``timezone`` says in which zone its timestamps without one are.
    """

    kind: Literal["postgres", "mysql", "mssql", "oracle", "sqlite", "trino", "bigquery"]
    timezone: Annotated[str, AfterValidator(_known_zone)] | None = None
    streams: dict[Identifier, DatabaseStream] = Field(min_length=1)

    @model_validator(mode="after")
    def _postgres_has_schemas(self) -> "DatabaseSource":
        for name, stream in self.streams.items():
            if self.kind == "postgres" and "." not in stream.table:
                raise ValueError(f"streams.{name}.table: {stream.table!r} names no schema: write schema.table")
        return self


class ApiSource(_Source):
    """A REST API and its endpoints."""

    kind: Literal["rest_api"]
    auth: OAuth2ClientCredentials
    timeout_seconds: float = Field(default=30, gt=0)
    attempts: int = Field(default=5, ge=1, description="tries of one request before the task fails")
    streams: dict[Identifier, ApiStream] = Field(min_length=1)


Source = Annotated[DatabaseSource | ApiSource, Field(discriminator="kind")]
