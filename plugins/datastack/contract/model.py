"""Contracts as frozen models: what the rest of the engine knows of an ODCS file."""

from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from datastack.contract.types import arrow_type

Identifier = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


def _known_type(physical_type: str) -> str:
    arrow_type(physical_type)
    return physical_type


class Frozen(BaseModel):
    """Base of all declarations: immutable, and a misspelt field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Privacy(StrEnum):
    """How personal data in a column is treated before it reaches the warehouse."""

    HASH = "hash"  # keyed hash: joins still work
    MASK = "mask"  # a constant in its place
    DROP = "drop"  # never stored
    RESTRICT = "restrict"  # stored as it is, for granted roles only


class Drift(StrEnum):
    """What happens to a field that the source has and the contract has not."""

    EVOLVE = "evolve"  # add it as a column
    FREEZE = "freeze"  # fail and name the field
    DISCARD = "discard"  # leave it out and count it


class Level(StrEnum):
    """What comes of a check that finds something."""

    FAIL = "fail"  # the gate is closed
    WARN = "warn"  # the gate is open, and says so


class Rule(Frozen):
    """How many values of a column may break what it promises: rows, or percent of the rows that are checked."""

    at_most: float = Field(default=0.0, ge=0.0)
    unit: Literal["rows", "percent"] = "rows"
    level: Level = Level.FAIL


class Reference(Frozen):
    """A column of a stream, maybe of another source, in which every value of the column must be found."""

    source: Identifier
    stream: Identifier
    column: Identifier
    level: Level = Level.FAIL

    def __str__(self) -> str:
        return f"{self.source}.{self.stream}.{self.column}"


class Band(Frozen):
    """Rows of a slice, in percent of the median of the slices of the same length in the weeks before it."""

    low: float = Field(ge=0.0)
    high: float
    weeks: int = Field(ge=1, le=53)
    level: Level = Level.FAIL

    @model_validator(mode="after")
    def _holds_the_median(self) -> "Band":
        if not self.low <= 100 <= self.high:
            raise ValueError(f"a band from {self.low} to {self.high} percent of the median does not hold the median")
        return self


LONGEST_WAIVER = timedelta(days=180)  # what lasts longer is no exception: the promise is to be changed


class Waiver(Frozen):
    """A check that may fail up to and including a day, and who says so."""

    check: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    link: str = Field(pattern=r"^https?://[^\s/]+\S*$")
    expires: date

    def __str__(self) -> str:
        return f"{self.reason} ({self.link}), until {self.expires}"


class Column(Frozen):
    """One column of a stream. ``path`` is where it stands in a nested record, as ``a.b`` or ``a[].b``.

    ``is_secret`` keeps its values out of the reasons why rows don't fit.
    """

    name: Identifier
    type: Annotated[str, AfterValidator(_known_type)]
    description: str = Field(min_length=1)
    path: str = Field(min_length=1)
    required: bool = False
    key_position: int | None = None
    privacy: Privacy | None = None
    is_secret: bool = False
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    allowed: tuple[Any, ...] = ()
    missing: Rule | None = None
    invalid: Rule = Rule()
    references: tuple[Reference, ...] = ()

    @property
    def is_stored(self) -> bool:
        """Whether the warehouse has this column."""
        return self.privacy is not Privacy.DROP

    @property
    def is_masked(self) -> bool:
        """Whether other values than the source's are stored."""
        return self.privacy in (Privacy.HASH, Privacy.MASK)

    @model_validator(mode="after")
    def _privacy_needs_text(self) -> "Column":
        base = self.type.removesuffix("[]")
        if self.privacy and self.is_masked and base != "text":
            raise ValueError(f"a column with privacy {self.privacy.value} is stored as text, not {self.type}")
        return self


class Tolerance(Frozen):
    """How much may go to quarantine before a task fails: rows, and share of all rows."""

    rows: int = Field(default=0, ge=0)
    share: float = Field(default=0.0, ge=0.0, le=1.0)

    def allows(self, rejected: int, total: int) -> bool:
        """Whether ``rejected`` of ``total`` rows stay within both limits."""
        return rejected == 0 or (rejected <= self.rows and rejected <= self.share * total)


YOUNGEST = timedelta(days=2)  # what is younger may belong to a run that is under way
_KeptFor = Annotated[timedelta, Field(ge=YOUNGEST)]


class Retention(Frozen):
    """How long an attempt is kept in each zone of the lake, counted from when it was written; None for ever."""

    landing: _KeptFor | None = timedelta(days=30)
    quarantine: _KeptFor = timedelta(days=90)
    conformed: _KeptFor = timedelta(days=400)


class Contract(Frozen):
    """What one stream promises.

    ``freshness`` is how much older than now its newest row may be, by ``freshness_column``; both are set, or none.
    """

    source: Identifier
    stream: Identifier
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    description: str = Field(min_length=1)
    grain: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    columns: tuple[Column, ...] = Field(min_length=1)
    minimum_rows: int = Field(ge=1)
    drift: Drift = Drift.DISCARD
    tolerance: Tolerance = Tolerance()
    retention: Retention = Retention()
    freshness: Annotated[timedelta, Field(gt=timedelta())] | None = None
    freshness_column: Identifier | None = None
    band: Band | None = None
    waivers: tuple[Waiver, ...] = ()
    file: Path

    @property
    def major(self) -> int:
        """The part of the version that changes when readers break."""
        return int(self.version.split(".")[0])

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns that the warehouse has, in order."""
        return tuple(column for column in self.columns if column.is_stored)

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the primary key's columns in their order; empty if the stream has none."""
        keyed = [column for column in self.columns if column.key_position is not None]
        return tuple(column.name for column in sorted(keyed, key=lambda column: column.key_position or 0))

    def path_of(self, name: str) -> str:
        """Where a column stands at the source.

        :raises KeyError: if there is no such column.
        """
        return {column.name: column.path for column in self.columns}[name]

    def type_of(self, name: str) -> str:
        """Type of a column.

        :raises KeyError: if there is no such column.
        """
        return {column.name: column.type for column in self.columns}[name]

    @property
    def arrow_schema(self) -> pa.Schema:
        """Arrow schema of the conformed rows."""
        return pa.schema(
            [pa.field(column.name, arrow_type(column.type), nullable=not column.required) for column in self.stored]
        )
