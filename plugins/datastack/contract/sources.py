"""How a source is read: what the declarations of all kinds of source share."""

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

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


class SoftDelete(Frozen):
    """The source marks a deleted row in a column: true, or the time of it."""

    by: Literal["column"]
    column: Identifier


class MissingKeys(Frozen):
    """The source forgets a deleted row: its key is missed when all keys are compared."""

    by: Literal["key"]


class Stream(Frozen):
    """What every stream declares, whatever its source is."""

    write: Write
    cursor: Identifier | None = None
    deletes: Annotated[SoftDelete | MissingKeys, Field(discriminator="by")] | None = None

    @model_validator(mode="after")
    def _cursor_where_needed(self) -> "Stream":
        if self.write in _WITH_CURSOR and self.cursor is None:
            raise ValueError(f"write: {self.write.value} needs a cursor: name the column that dates a row")
        return self

    @model_validator(mode="after")
    def _deletes_by_key(self) -> "Stream":
        if self.deletes and not self.is_keyed:
            raise ValueError(f"deletes need write: merge or scd2: {self.write.value} follows its source by itself")
        return self

    @property
    def is_keyed(self) -> bool:
        """Whether rows enter by their key."""
        return self.write in _BY_KEY


class SourceFile(Frozen):
    """What every source declares: `include/sources/<source>.yml`."""

    name: Identifier
    description: str = Field(min_length=1)
    connection: Identifier
    owner: str = Field(min_length=1)
    domain: Identifier
    tier: int = Field(ge=1, le=3)
    schedule: str = Field(min_length=1, description="five-field cron, UTC")
    start_date: date
