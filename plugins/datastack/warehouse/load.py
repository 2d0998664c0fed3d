"""What enters the warehouse in one transaction, and what came of it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from datastack.contract.model import Contract
from datastack.contract.slice import Slice
from datastack.contract.sources import Stream


class WarehouseError(RuntimeError):
    """The warehouse refused a load, or holds something other than the manifest says."""


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
class Load:
    """One attempt at one slice, as its manifest describes it."""

    contract: Contract
    stream: Stream
    slice: Slice
    attempt: str
    manifest_key: str
    manifest_digest: str
    extracted_at: datetime
    source_rows: int
    lake_rows: int
    bytes: int
    run: RunRef
    quarantined: tuple[Quarantined, ...] = field(default=())

    @property
    def schema_name(self) -> str:
        """Warehouse schema of the raw table."""
        return raw_schema(self.contract.source)

    def __str__(self) -> str:
        return f"{self.contract.source}.{self.contract.stream} {self.slice}"


class Status(StrEnum):
    """What a copy did."""

    LOADED = "loaded"
    ALREADY_LOADED = "already loaded"  # the ledger holds this manifest: nothing to do
    SUPERSEDED = "superseded"  # a newer snapshot is in place


@dataclass(frozen=True)
class Outcome:
    """The ledger's answer to a load."""

    status: Status
    load_id: int
    loaded_rows: int


def raw_schema(source: str) -> str:
    """Warehouse schema that holds a source's raw tables."""
    return f"raw_{source}"
