"""What a move that was interrupted has done already: a plan of chunks, and what was read of them.

Stands in the lake beside the zones: ``checkpoints/<source>/<stream>/slice=<start>_<end>/run=<id>/``.
"""

import hashlib
import logging
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError

from datastack.contract.slice import Slice
from datastack.lake.manifest import ManifestError, Stored, Written
from datastack.lake.store import LakeStore

log = logging.getLogger(__name__)
S = TypeVar("S", bound=Stored)


class PlannedChunk(Stored):
    """A chunk's number and its bounds: rows with ``after < key <= until``."""

    number: int
    after: tuple[str, ...] | None
    until: tuple[str, ...] | None


class Plan(Stored):
    """How an attempt reads a slice. ``range_start`` is where it begins on the cursor, as text."""

    attempt: str
    contract_version: str
    begun_at: datetime
    range_start: str | None
    chunks: tuple[PlannedChunk, ...]


class ReadChunk(Stored):
    """What was read of a chunk, and in which snapshot."""

    number: int
    snapshot: str | None
    written: Written


class Checkpoint:
    """The checkpoint of one run at one slice of a stream.

    :param run: what tells runs apart; a retry has the same.
    """

    def __init__(self, lake: LakeStore, source: str, stream: str, window: Slice, run: str) -> None:
        self._lake = lake
        run_id = hashlib.sha256(run.encode()).hexdigest()[:16]
        self._prefix = f"checkpoints/{source}/{stream}/slice={window.name}/run={run_id}"
        self._plan = f"{self._prefix}/plan.json"

    def plan(self) -> Plan | None:
        """Plan of the interrupted attempt, if there is one."""
        return self._stored(self._plan, Plan)

    def begin(self, plan: Plan) -> None:
        """Store the plan of a new attempt, and forget any other."""
        self.end()
        self._lake.write(self._plan, plan.model_dump_json().encode())

    def chunks(self) -> dict[int, ReadChunk]:
        """What was read so far, by chunk."""
        keys = (key for key in self._lake.keys(self._prefix) if "/chunk-" in key)
        read = (self._stored(key, ReadChunk) for key in keys)
        return {chunk.number: chunk for chunk in read if chunk}

    def add(self, chunk: ReadChunk) -> None:
        """Store that a chunk was read: from now on a retry need not."""
        self._lake.write(f"{self._prefix}/chunk-{chunk.number:05d}.json", chunk.model_dump_json().encode())

    def end(self) -> None:
        """Forget the attempt: the next one starts anew. The plan goes last: while it is there, so is the attempt."""
        for key in self._lake.keys(self._prefix):
            if key != self._plan:
                self._lake.delete(key)
        self._lake.delete(self._plan)

    def _stored(self, key: str, kind: type[S]) -> S | None:
        """What was stored; None if it is not there or cut short: reading again what it told of does no harm."""
        if not self._lake.exists(key):
            return None
        try:
            return kind.model_validate_json(self._lake.read(key))
        except ManifestError:
            return None  # deleted since, by a try that was taken for dead and is not
        except ValidationError:
            log.warning("%s is cut short or no checkpoint: what it told of is read again", self._lake.uri(key))
            return None
