"""Where things stand in the lake.

``<zone>/<source>/<stream>/v<contract-major>/slice=<start>_<end>/attempt=<id>/part-00001.parquet``
"""

from dataclasses import dataclass
from enum import StrEnum

from datastack.contract.slice import Slice

MANIFEST = "_manifest.json"
PART = "part"


class Zone(StrEnum):
    """What state the data is in."""

    LANDING = "landing"  # as received
    CONFORMED = "conformed"  # fits its contract, in Parquet
    QUARANTINE = "quarantine"  # did not fit, with the reason

    @property
    def is_as_received(self) -> bool:
        """Whether personal data stands here in clear text: such zones have a bucket and an access of their own."""
        return self is not Zone.CONFORMED


@dataclass(frozen=True)
class Place:
    """One attempt at one slice of a stream; ``prefix`` differs between zones only in its first part."""

    source: str
    stream: str
    contract_major: int
    slice: Slice
    attempt: str

    def prefix(self, zone: Zone) -> str:
        """Key prefix of the attempt's folder in a zone, without a closing slash."""
        stream = f"{self.source}/{self.stream}/v{self.contract_major}"
        return f"{zone}/{stream}/slice={self.slice.name}/attempt={self.attempt}"

    def part(self, zone: Zone, stem: str, number: int, suffix: str) -> str:
        """Key of a part; numbers start at 1."""
        return f"{self.prefix(zone)}/{stem}-{number:05d}.{suffix}"

    def manifest(self, zone: Zone) -> str:
        """Key of the attempt's manifest in a zone."""
        return f"{self.prefix(zone)}/{MANIFEST}"
