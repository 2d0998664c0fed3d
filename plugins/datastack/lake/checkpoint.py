"""What a run that was interrupted has done already: its plan, and what was read of it.

Stands in the lake beside the zones: ``checkpoints/<source>/<stream>/slice=<start>_<end>/run=<id>/``.
"""

import hashlib
import logging
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from datastack.contract.slice import Slice
from datastack.lake.layout import CHECKPOINTS
from datastack.lake.manifest import ManifestError, Part, Stored, Written
from datastack.lake.store import LakeStore

log = logging.getLogger(__name__)
S = TypeVar("S", bound=Stored)
P = TypeVar("P", bound=Stored)
D = TypeVar("D", "ReadChunk", "LandedPages")


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


class PagesPlan(Stored):
    """How an attempt reads an API's stream.

    ``declared`` is a digest of how it is declared, ``parent_manifest`` the key of what the parent's keys come from.
    """

    attempt: str
    contract_version: str
    declared: str
    parent_manifest: str | None
    begun_at: datetime


class LandedPages(Stored):
    """A part of landed pages, and where their reading stood after the last of them.

    ``list_number`` tells in which list: that of the parent's record of this number, from 0 on. ``position`` says where
    the next page is, as the API wants to be asked for it; ``pages``, ``records``, ``total`` and ``step`` are those of
    that list so far, ``marks`` what none of its later pages may repeat.
    """

    number: int
    part: Part
    list_number: int
    position: Any
    ended: bool
    pages: int
    records: int
    total: int | None
    step: int
    marks: tuple[int, ...]


class _Checkpoint(Generic[P, D]):
    """The checkpoint of one run at one slice of a stream: a plan, and what is done of it.

    :param run: what tells runs apart; a retry has the same.
    """

    _plan_kind: type[P]
    _done_kind: type[D]
    _stem: str

    def __init__(self, lake: LakeStore, source: str, stream: str, window: Slice, run: str) -> None:
        self._lake = lake
        run_id = hashlib.sha256(run.encode()).hexdigest()[:16]
        self._prefix = f"{CHECKPOINTS}/{source}/{stream}/slice={window.name}/run={run_id}"
        self._plan = f"{self._prefix}/plan.json"

    def plan(self) -> P | None:
        """Plan of the interrupted attempt, if there is one."""
        return self._stored(self._plan, self._plan_kind)

    def begin(self, plan: P) -> None:
        """Store the plan of a new attempt, and forget any other."""
        self.end()
        self._lake.write(self._plan, plan.model_dump_json().encode())

    def add(self, done: D) -> None:
        """Store that something was done: from now on a retry need not."""
        self._lake.write(f"{self._prefix}/{self._stem}-{done.number:05d}.json", done.model_dump_json().encode())

    def end(self) -> None:
        """Forget the attempt: the next one starts anew. The plan goes last: while it is there, so is the attempt."""
        for key in self._lake.keys(self._prefix):
            if key != self._plan:
                self._lake.delete(key)
        self._lake.delete(self._plan)

    def _done(self) -> dict[int, D]:
        keys = (key for key in self._lake.keys(self._prefix) if f"/{self._stem}-" in key)
        done = (self._stored(key, self._done_kind) for key in keys)
        return {each.number: each for each in done if each}

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


class Checkpoint(_Checkpoint[Plan, ReadChunk]):
    """Chunks of a table that were read."""

    _plan_kind, _done_kind, _stem = Plan, ReadChunk, "chunk"

    def chunks(self) -> dict[int, ReadChunk]:
        """What was read so far, by chunk."""
        return self._done()


class PagesCheckpoint(_Checkpoint[PagesPlan, LandedPages]):
    """Parts of an API's pages that have landed."""

    _plan_kind, _done_kind, _stem = PagesPlan, LandedPages, "part"

    def landed(self) -> list[LandedPages]:
        """What has landed so far, in order, up to the first part that is missing."""
        done = self._done()
        found: list[LandedPages] = []
        while (each := done.get(len(found) + 1)) and self._lake.exists(each.part.key):
            found.append(each)
        return found
