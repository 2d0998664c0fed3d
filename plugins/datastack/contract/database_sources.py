"""How a database is read."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from datastack.contract.model import Frozen, Identifier
from datastack.contract.sources import SourceFile, Stream


class Incremental(StrEnum):
    """Which rows a slice reads, where there is a cursor."""

    SLICE = "slice"  # those whose cursor lies in the slice
    WATERMARK = "watermark"  # those beyond what was loaded before, and some of what was: the look-back


class Chunks(Frozen):
    """How a large table is taken apart along its key.

    ``rows`` is the size of a chunk; chunks are read by ``tasks`` mapped tasks, hence by as many workers.
    """

    rows: int = Field(default=1_000_000, ge=1)
    tasks: int = Field(default=1, ge=1, le=64)


class DatabaseStream(Stream):
    """A table, read whole or by its cursor column.

    ``look_back`` is a time for cursors in time, as ``P3D``, and a number for others: rows that came late by less are
    found again by reading that much before the watermark.
    """

    table: str = Field(min_length=1, description="schema.table, or table where the database has no schemas")
    incremental: Incremental = Incremental.SLICE
    look_back: Annotated[int, Field(ge=0)] | timedelta = 0
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
        return self


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone: write it as Europe/Amsterdam or UTC") from None
    return name


class DatabaseSource(SourceFile):
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
