"""How an API hands out its records in pages."""

from typing import Annotated, Literal

from pydantic import Field

from datastack.contract.model import Frozen

SentIn = Annotated[
    Literal["query", "body"], Field(description="where parameters go: the query, or the JSON body (names as a.b nest)")
]


class OnePage(Frozen):
    """One answer has everything."""

    kind: Literal["none"]


class PageNumber(Frozen):
    """Pages are asked for by number, from ``first`` on."""

    kind: Literal["page_number"]
    page_param: str = Field(default="page", min_length=1)
    size_param: str = Field(default="page_size", min_length=1)
    size: int | None = Field(default=None, gt=0, description="how many records to ask for; nothing is asked without it")
    first: Literal[0, 1] = 1
    sent_in: SentIn = "query"


class Offset(Frozen):
    """Pages are asked for by the number of records to pass over."""

    kind: Literal["offset"]
    offset_param: str = Field(default="offset", min_length=1)
    limit_param: str = Field(default="limit", min_length=1)
    limit: int | None = Field(default=None, gt=0, description="how many records to ask for; see page_number's size")
    sent_in: SentIn = "query"


class Cursor(Frozen):
    """Each page names the next one in its body; the last one names none, or says that there are no more."""

    kind: Literal["cursor"]
    cursor_param: str = Field(default="cursor", min_length=1)
    next_path: str = Field(default="next_cursor", min_length=1)
    more_path: str | None = Field(default=None, description="where a page says whether others follow, if it does")
    size_param: str = Field(default="limit", min_length=1)
    size: int | None = Field(default=None, gt=0, description="see page_number's size")
    sent_in: SentIn = "query"


class NextUrl(Frozen):
    """Each page has the address of the next one in its body."""

    kind: Literal["next_url"]
    next_path: str = Field(default="next", min_length=1)


class LinkHeader(Frozen):
    """Each page has the address of the next one in its header ``Link``, with ``rel="next"`` (RFC 8288)."""

    kind: Literal["link_header"]


Pagination = Annotated[OnePage | PageNumber | Offset | Cursor | NextUrl | LinkHeader, Field(discriminator="kind")]
