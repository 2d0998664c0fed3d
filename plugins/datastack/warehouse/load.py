"""What enters the warehouse in one transaction, and what came of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import pyarrow as pa

from datastack.contract.delivered import Delivered
from datastack.contract.model import Contract
from datastack.contract.slice import Slice
from datastack.contract.sources import MissingKeys, SoftDelete, Stream


class WarehouseError(RuntimeError):
    """The warehouse refused a load, or holds something other than the manifest says."""


class OutdatedError(WarehouseError):
    """The load can't enter any more, as the warehouse has gone on; the slice must be read anew."""


@dataclass(frozen=True)
class RunRef:
    """The Airflow task try that moves the data."""

    dag_id: str
    run_id: str
    try_number: int


@dataclass(frozen=True)
class Quarantined:
    """A part of rows that did not fit, and how often each reason occurs."""

    part_key: str
    rows: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class Content:
    """What a manifest says of an attempt, for the ledger.

    ``checksum`` is that of the rows; ``cursor_high`` the highest cursor value that was read, as text;
    ``contract_version`` that which the rows were conformed to, where it may be another than the load's.
    """

    manifest_digest: str
    source_rows: int
    lake_rows: int
    bytes: int
    quarantined: tuple[Quarantined, ...] = ()
    cursor_high: str | None = None
    checksum: str | None = None
    contract_version: str | None = None


@dataclass
class Load:
    """One attempt at one slice, or at one delivered file.

    Its manifest may be yet to come when its first rows are loaded: :meth:`seal` adds what that says, at the latest
    when the rows are exhausted. ``rows_schema`` is that of the rows; None stands for the contract's. Rows that were
    conformed to another version of the contract may lack columns of this one, or have columns of narrower types.
    ``evolved`` maps columns that the contract has not to their types; each is a field of the schema, or a member of
    the schema's field ``_extra``. ``conformed_at`` is set where rows were made of what had been received before.
    ``replay_of`` is the load whose quarantined rows these are.
    """

    contract: Contract
    stream: Stream
    slice: Slice
    attempt: str
    manifest_key: str
    extracted_at: datetime
    run: RunRef
    rows_schema: pa.Schema | None = None
    evolved: Mapping[str, str] = field(default_factory=dict)
    content: Content | None = None
    delivered: Delivered | None = None
    conformed_at: datetime | None = None
    replay_of: int | None = None

    def seal(self, content: Content) -> None:
        """Add what the manifest says."""
        self.content = content

    @property
    def sealed(self) -> Content:
        """What the manifest says."""
        if self.content is None:
            raise RuntimeError(f"{self}: asked for the manifest before it was written")
        return self.content

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the rows."""
        return self.contract.arrow_schema if self.rows_schema is None else self.rows_schema

    @property
    def soft_delete(self) -> SoftDelete | None:
        """How the source marks a deleted row, if it does."""
        return self._deletes if isinstance(self._deletes, SoftDelete) else None

    @property
    def compares_keys(self) -> bool:
        """Whether a row whose key is missed at the source counts as deleted."""
        return isinstance(self._deletes, MissingKeys)

    @property
    def has_deletes(self) -> bool:
        """Whether rows are marked as deleted."""
        return self._deletes is not None

    @property
    def _deletes(self) -> SoftDelete | MissingKeys | None:
        return self.stream.deletes

    def contract_type(self, column: str) -> str | None:
        """Type of a column in the contract; None if it does not know the column."""
        return next((each.type for each in self.contract.stored if each.name == column), None)

    @property
    def schema_name(self) -> str:
        """Warehouse schema of the raw table."""
        return raw_schema(self.contract.source)

    def __str__(self) -> str:
        of_file = f" ({self.delivered.key})" if self.delivered else ""
        return f"{self.contract.source}.{self.contract.stream} {self.slice}{of_file}"


class Status(StrEnum):
    """What a copy did."""

    LOADED = "loaded"
    ALREADY_LOADED = "already loaded"  # the ledger holds this manifest: nothing to do
    SUPERSEDED = "superseded"  # newer rows are in place


@dataclass(frozen=True)
class Outcome:
    """The ledger's answer to a load.

    ``changes`` tells in words how the raw table was altered; ``added_columns`` names those of its new columns that no
    contract knows, hence nobody has classified. ``seconds`` tells how long each step took.
    """

    status: Status
    load_id: int
    loaded_rows: int
    changes: tuple[str, ...] = ()
    added_columns: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)


def raw_schema(source: str) -> str:
    """Warehouse schema that holds a source's raw tables."""
    return f"raw_{source}"


def derived(stream: str, suffix: str) -> str:
    """Name of what belongs to a stream, of at most 63 bytes: Postgres cuts longer ones, and two may become one."""
    name = f"{stream}_{suffix}"
    return name if len(name) <= 63 else f"{stream[:40]}_{hashlib.sha256(name.encode()).hexdigest()[:12]}_{suffix}"
