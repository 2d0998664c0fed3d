"""How a REST API is read."""

from typing import Annotated, Literal

from pydantic import Field

from datastack.contract.model import Frozen, Identifier
from datastack.contract.sources import SourceFile, Stream


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


class ApiSource(SourceFile):
    """A REST API and its endpoints."""

    kind: Literal["rest_api"]
    auth: OAuth2ClientCredentials
    timeout_seconds: float = Field(default=30, gt=0)
    attempts: int = Field(default=5, ge=1, description="tries of one request before the task fails")
    streams: dict[Identifier, ApiStream] = Field(min_length=1)
