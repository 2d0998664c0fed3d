"""The manifest: written last, it names every part of an attempt and what must be in it."""

import hashlib
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from datastack.contract.delivered import Delivered
from datastack.contract.model import Contract
from datastack.contract.slice import Slice
from datastack.lake.layout import Place


class ManifestError(ValueError):
    """A manifest, or a part that it names, is not what it should be."""


class Stored(BaseModel):
    """Base of what is stored in the lake as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(Stored):
    """One object: its key, rows (records), size in bytes and SHA-256 in hexadecimal.

    ``delivered`` says what it is a copy of, where it was landed untouched; such a part counts as one record.
    """

    key: str
    rows: int
    bytes: int
    sha256: str
    delivered: Delivered | None = None


class Written(Stored):
    """What was put into the lake of a slice, or of one chunk of it.

    ``source_rows`` is what the source said it had. ``checksum`` is that of the rows in ``parts``, see
    :mod:`datastack.codec.checksum`; None for data kept as received. ``columns`` maps names to contract types,
    ``evolved`` those of them that the contract has not. ``discarded`` counts rows with a field that was left out,
    ``reasons`` rows that were quarantined.
    """

    source_rows: int = 0
    parts: tuple[Part, ...] = ()
    quarantine: tuple[Part, ...] = ()
    checksum: int | None = None
    columns: dict[str, str] = {}
    evolved: dict[str, str] = {}
    discarded: dict[str, int] = {}
    reasons: dict[str, int] = {}

    @property
    def rows(self) -> int:
        """Rows in all parts."""
        return sum(part.rows for part in self.parts)

    @property
    def quarantined_rows(self) -> int:
        """Rows set aside."""
        return sum(part.rows for part in self.quarantine)

    @property
    def size(self) -> int:
        """Bytes in all parts."""
        return sum(part.bytes for part in self.parts)

    def __str__(self) -> str:
        unknown = f", fields discarded by contract: {self.discarded}" if self.discarded else ""
        return (
            f"{self.source_rows} rows at the source, {self.rows} stored ({self.size} bytes), "
            f"{self.quarantined_rows} quarantined{unknown}"
        )


class Manifest(Written):
    """What one attempt at a slice put into the lake.

    ``keys`` are parts with the keys of all rows that the source has, where they were asked for. ``cursor_high`` is the
    highest cursor value that was read, as text: the watermark. ``landing`` is the key of the manifest of what was
    received, where that was kept, ``conformed_at`` the time at which rows were made of it, and ``delivered`` the file
    that it was, if it was one.
    """

    source: str
    stream: str
    contract_version: str
    slice_start: datetime
    slice_end: datetime
    attempt: str
    extracted_at: datetime
    keys: tuple[Part, ...] = ()
    cursor_high: str | None = None
    landing: str | None = None
    conformed_at: datetime | None = None
    delivered: Delivered | None = None

    @model_validator(mode="after")
    def _counts_reconcile(self) -> "Manifest":
        if self.source_rows != self.rows + self.quarantined_rows:
            raise ValueError(
                f"{self.source}.{self.stream} {self.slice}: the source had {self.source_rows} rows, but "
                f"{self.rows} were stored and {self.quarantined_rows} quarantined. Nothing was loaded; "
                "the task's retry reads the slice again"
            )
        return self

    @property
    def slice(self) -> Slice:
        """The window that the attempt covers."""
        return Slice(self.slice_start, self.slice_end)

    def to_json(self) -> bytes:
        """Serialise: equal manifests give equal bytes."""
        return self.model_dump_json(indent=1).encode()

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest: the identity of the attempt in the ledger."""
        return hashlib.sha256(self.to_json()).hexdigest()

    @classmethod
    def from_json(cls, key: str, content: bytes) -> "Manifest":
        """Parse what :meth:`to_json` wrote.

        :raises ManifestError: if it is cut short or not a manifest.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            problem = error.errors()[0]
            raise ManifestError(
                f"manifest {key} is not valid ({'.'.join(map(str, problem['loc']))}: {problem['msg']}). "
                "Clear the task that extracts it to read the slice anew"
            ) from error


def manifest_of(
    contract: Contract,
    place: Place,
    written: Written,
    extracted_at: datetime,
    *,
    landed: tuple[str, Manifest] | None = None,
    keys: tuple[Part, ...] = (),
    cursor_high: str | None = None,
) -> Manifest:
    """Describe an attempt; counts are reconciled on the way.

    :param landed: key and content of the manifest of what was received, where that is a step of its own: the attempt
        is of the same file, if it is one.
    """
    landing, received = landed or (None, None)
    parts = received.parts if received else written.parts
    return Manifest(
        **dict(written),
        source=place.source,
        stream=place.stream,
        contract_version=contract.version,
        slice_start=place.slice.start,
        slice_end=place.slice.end,
        attempt=place.attempt,
        extracted_at=extracted_at,
        keys=keys,
        cursor_high=cursor_high,
        landing=landing,
        conformed_at=datetime.now(UTC) if landed else None,
        delivered=parts[0].delivered if len(parts) == 1 else None,
    )
