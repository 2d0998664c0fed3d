"""What the API's endpoints may be asked."""

from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator


class Parameters(BaseModel):
    """Query parameters; one that we don't know is an error, for a misspelt filter would return everything."""

    model_config = ConfigDict(extra="forbid")


class PageNumber(Parameters):
    """Pages counted from 1."""

    page: int = Field(1, ge=1)
    page_size: int = Field(10, ge=1, le=100)


class Offset(Parameters):
    """So many rows after so many."""

    offset: int = Field(0, ge=0)
    limit: int = Field(1000, ge=1, le=5000)


class Skip(Parameters):
    """So many rows after so many; the answer has the address of the next ones."""

    skip: int = Field(0, ge=0)
    limit: int = Field(200, ge=1, le=500)


class PerPage(Parameters):
    """Pages counted from 1; the answer has the address of the next one in its header."""

    page: int = Field(1, ge=1)
    per_page: int = Field(500, ge=1, le=1000)


class Window(Parameters):
    """Rows with updated_since <= updated_at < until, continued at a cursor."""

    updated_since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    limit: int = Field(500, ge=1, le=1000)
    cursor: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.updated_since and self.until and self.updated_since > self.until:
            raise ValueError("updated_since is after until")
        return self
