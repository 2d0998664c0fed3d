"""How a source is read: `include/sources/<source>.yml` as frozen models."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from datastack.contract.model import Frozen, Identifier


class Write(StrEnum):
    """How a slice enters its warehouse table."""

    REPLACE_SLICE = "replace_slice"  # rows of the window are exchanged; needs a cursor
    MERGE = "merge"  # rows enter by key, the newest cursor wins; needs a key and a cursor
    REPLACE = "replace"  # the whole table is exchanged by a snapshot


class Stream(Frozen):
    """What every stream declares, whatever its source is."""

    write: Write
    cursor: Identifier | None = None

    @model_validator(mode="after")
    def _cursor_where_needed(self) -> "Stream":
        if self.write is not Write.REPLACE and self.cursor is None:
            raise ValueError(f"write: {self.write.value} needs a cursor: name the column that dates a row")
        return self


class DatabaseStream(Stream):
    """A table, read whole or by its cursor column."""

    table: str = Field(pattern=r"^[A-Za-z_][\w$]*\.[A-Za-z_][\w$]*$", description="schema.table")


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


class DatabaseSource(_Source):
    """A database and its tables."""

    kind: Literal["postgres"]
    streams: dict[Identifier, DatabaseStream] = Field(min_length=1)


class ApiSource(_Source):
    """A REST API and its endpoints."""

    kind: Literal["rest_api"]
    auth: OAuth2ClientCredentials
    timeout_seconds: float = Field(default=30, gt=0)
    attempts: int = Field(default=5, ge=1, description="tries of one request before the task fails")
    streams: dict[Identifier, ApiStream] = Field(min_length=1)


Source = Annotated[DatabaseSource | ApiSource, Field(discriminator="kind")]
