"""The manifest: written last, it names every part of an attempt and what must be in it."""

import hashlib
from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from datastack.contract.slice import Slice


class ManifestError(ValueError):
    """A manifest, or a part that it names, is not what it should be."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(_Frozen):
    """One object: its key, rows (records), size in bytes and SHA-256 in hexadecimal."""

    key: str
    rows: int
    bytes: int
    sha256: str


class Manifest(_Frozen):
    """What one attempt at a slice put into the lake.

    ``source_rows`` is what the source said it had, ``rows`` what stands in ``parts``, ``quarantined_rows`` what
    stands in ``quarantine``. ``columns`` maps names to Arrow types; it is empty for data kept as received.
    """

    source: str
    stream: str
    contract_version: str
    slice_start: datetime
    slice_end: datetime
    attempt: str
    extracted_at: datetime
    source_rows: int
    parts: tuple[Part, ...]
    quarantine: tuple[Part, ...] = ()
    columns: dict[str, str] = {}
    discarded: dict[str, int] = {}

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
                "Clear the extract task to write the slice again"
            ) from error
