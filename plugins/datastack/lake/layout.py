"""Where things stand in the lake.

``<zone>/<source>/<stream>/v<contract-major>/slice=<start>_<end>/attempt=<id>/part-00001.parquet``
"""

from dataclasses import dataclass
from enum import StrEnum

from datastack.contract.slice import Slice

MANIFEST = "_manifest.json"
PART = "part"
DOCS = "docs"  # what is published, described for people
CHECKPOINTS = "checkpoints"  # how far moves under way have come: an API's cursor, the bounds of a table's chunks


class Zone(StrEnum):
    """What state the data is in."""

    LANDING = "landing"  # as received
    CONFORMED = "conformed"  # fits its contract, in Parquet
    QUARANTINE = "quarantine"  # did not fit, with the reason


_AS_RECEIVED = frozenset({Zone.LANDING.value, Zone.QUARANTINE.value, CHECKPOINTS})


def is_as_received(key: str) -> bool:
    """Whether personal data may stand here in clear text: such zones have a bucket and an access of their own."""
    return key.partition("/")[0] in _AS_RECEIVED


def docs_key(domain: str) -> str:
    """Key of the documentation of a domain's marts, one HTML file."""
    return f"{DOCS}/{domain}/index.html"


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
