"""OpenLineage events into one JSON-lines file that many processes write at the same time."""

from __future__ import annotations

import os
from typing import Any, Self

import attr
from openlineage.client.serde import Serde
from openlineage.client.transport.transport import Config, Transport


@attr.define
class AtomicFileConfig(Config):
    """Settings of AtomicFileTransport: `path` of the file."""

    path: str

    @classmethod
    def from_dict(cls, params: dict[str, Any]) -> Self:
        """Read the settings from a transport's JSON."""
        return cls(path=params["path"])


class AtomicFileTransport(Transport):
    """Appends each event by a single write.

    The client's own file transport goes through a buffer, so that an event of more than 8 kB can be torn apart by
    that of another task.
    """

    kind = "atomic_file"
    config_class = AtomicFileConfig

    def __init__(self, config: AtomicFileConfig) -> None:
        self._path = config.path

    def emit(self, event: Any) -> None:
        """Append the event as one line."""
        line = (Serde.to_json(event) + "\n").encode()
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
