"""Where the servers are, as contenders in processes of their own are told; needs nothing but Python."""

import json
import os
from dataclasses import asdict, dataclass

VARIABLE = "BENCH_ADDRESSES"


@dataclass(frozen=True)
class Addresses:
    """Where a contender finds the servers. Carries passwords of servers that live no longer than the bench."""

    source: str  # libpq addresses, as administrator
    warehouse: str
    loader: str  # the warehouse, as the loader role
    s3_endpoint: str
    s3_access_key: str
    s3_secret_key: str
    bucket: str

    @classmethod
    def from_environment(cls) -> "Addresses":
        """Read what :meth:`environment` wrote."""
        return cls(**json.loads(os.environ[VARIABLE]))

    def environment(self) -> dict[str, str]:
        """Return the variable by which a child process gets the addresses."""
        return {VARIABLE: json.dumps(asdict(self))}
