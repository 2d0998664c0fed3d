"""Plans what the lake and the results of gates may let go, kept long enough: :mod:`datastack.operators.expiry`."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import TypeVar

from datastack.contract.file_sources import DocumentStream
from datastack.contract.model import YOUNGEST, Contract, Retention
from datastack.contract.registry import load_source, source_names
from datastack.lake.inventory import Folder, Inventory
from datastack.lake.layout import CHECKPOINTS, MANIFEST, Zone
from datastack.lake.manifest import Stored
from datastack.warehouse import retention as ledger

T = TypeVar("T")

CHECKPOINT_KEPT = timedelta(days=7)
SAMPLES_KEPT = timedelta(days=30)  # rows that a check found, with personal columns masked
RESULTS_KEPT = timedelta(days=400)  # what gates measured, and how they ended
MOST = 20_000  # folders a plan names: what an hour is enough for; the next run goes on
AT_ONCE = 500  # folders between two looks into the ledger


class Reason(StrEnum):
    """Why a folder may go."""

    ABANDONED = "abandoned"  # a checkpoint that no try has come back to
    UNFINISHED = "unfinished"  # no manifest: its try was killed, or failed
    EXPIRED = "past its retention"
    NEVER_REPLAYED = "past its retention, never replayed"
    REPLACED = "replaced in the warehouse"
    NEVER_LOADED = "never loaded"


class Entry(Stored):
    """A folder that may go: its objects, their bytes and latest modification as planned."""

    prefix: str
    room: str
    source: str
    stream: str
    reason: Reason
    objects: int
    bytes: int
    newest: datetime


class RetentionPlan(Stored):
    """What may go, as of a moment; ``undeclared`` are folders by stream that no declaration says anything about.

    ``is_complete`` says whether every folder is named that may go. ``gate_samples`` and ``gate_results`` are how many
    rows of the ledger are from before ``samples_before`` and ``results_before``.
    """

    planned_at: datetime
    entries: tuple[Entry, ...]
    undeclared: dict[str, int]
    is_complete: bool
    gate_samples: int = 0
    gate_results: int = 0

    @property
    def samples_before(self) -> datetime:
        """Samples of gates from before that moment may go."""
        return self.planned_at - SAMPLES_KEPT

    @property
    def results_before(self) -> datetime:
        """Results of gates from before that moment may go, with their samples."""
        return self.planned_at - RESULTS_KEPT

    @property
    def objects(self) -> int:
        """Objects in all folders."""
        return sum(entry.objects for entry in self.entries)

    @property
    def bytes(self) -> int:
        """Bytes in all folders."""
        return sum(entry.bytes for entry in self.entries)

    def key(self, run_id: str) -> str:
        """Where the plan of a run is stored."""
        moment, run = self.planned_at.strftime("%Y%m%dT%H%M%SZ"), hashlib.sha256(run_id.encode()).hexdigest()[:8]
        return f"maintenance/retention/{moment}-{run}.json"

    def lines(self) -> Iterator[str]:
        """Say it as a table: a line for each zone and reason, with the first folders; then the ledger's rows."""
        yield f"{'zone':<12} {'reason':<36} {'attempts':>9} {'objects':>9} {'bytes':>16}  first of them"
        kinds: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for entry in self.entries:
            kinds[entry.room, entry.reason].append(entry)
        for (room, reason), some in sorted(kinds.items()):
            objects, size = sum(each.objects for each in some), sum(each.bytes for each in some)
            first = ", ".join(each.prefix for each in some[:3])
            yield f"{room:<12} {reason:<36} {len(some):>9} {objects:>9} {size:>16,}  {first}"
        yield f"ops.gate_samples: {self.gate_samples} from before {self.samples_before:%Y-%m-%d %H:%M} UTC"
        yield f"ops.gate_results: {self.gate_results} from before {self.results_before:%Y-%m-%d %H:%M} UTC"


def declared_retention() -> dict[tuple[str, str], Retention]:
    """Retention of every declared stream."""
    declared = {name: load_source(name) for name in source_names()}
    return {
        (name, stream): _retention(each.source.streams[stream], contract)
        for name, each in declared.items()
        for stream, contract in each.contracts.items()
    }


def _retention(stream: object, contract: Contract) -> Retention:
    """What a contract says; documents, which the warehouse's rows are about, stay unless it says otherwise."""
    said = contract.retention
    if isinstance(stream, DocumentStream) and "landing" not in said.model_fields_set:
        return said.model_copy(update={"landing": None})
    return said


class Planner:
    """Finds what may go.

    :param warehouse: libpq address, as the loader role.
    :param now: as of when.
    """

    def __init__(
        self, inventory: Inventory, warehouse: str, retention: dict[tuple[str, str], Retention], now: datetime
    ) -> None:
        self._inventory, self._warehouse, self._retention, self._now = inventory, warehouse, retention, now
        self._undeclared: Counter[str] = Counter()
        self._resumable: set[tuple[str, str, str]] = set()

    def plan(self) -> RetentionPlan:
        """Look through the whole lake, and the results of gates."""
        found = list(islice(self._entries(), MOST + 1))
        plan = RetentionPlan(
            planned_at=self._now,
            entries=tuple(found[:MOST]),
            undeclared=dict(self._undeclared),
            is_complete=len(found) <= MOST,
        )
        samples, results = ledger.old_gate_rows(self._warehouse, plan.samples_before, plan.results_before)
        return plan.model_copy(update={"gate_samples": samples, "gate_results": results})

    def _entries(self) -> Iterator[Entry]:
        for folder in self._inventory.folders(CHECKPOINTS):  # first: they tell which attempts a try may come back to
            if self._is_older(folder, CHECKPOINT_KEPT):
                yield _entry(folder, Reason.ABANDONED)
            elif folder.bytes:  # of a checkpoint that has ended, an empty folder is left
                self._resumable.add((folder.source, folder.stream, folder.slice))
        for zone in Zone:
            for folders in batches(self._due(zone), AT_ONCE):
                yield from self._judged(zone, folders)

    def _due(self, zone: Zone) -> Iterator[Folder]:
        """Attempts whose time is over, unless the ledger needs them."""
        for folder in self._inventory.folders(zone):
            kept = self._retention.get((folder.source, folder.stream))
            if kept is None:
                self._undeclared[f"{folder.source}.{folder.stream}"] += 1
            elif (limit := self._kept_for(folder, zone, kept)) is not None and self._is_older(folder, limit):
                yield folder

    def _kept_for(self, folder: Folder, zone: Zone, kept: Retention) -> timedelta | None:
        if _is_finished(folder, zone):
            return {Zone.LANDING: kept.landing, Zone.CONFORMED: kept.conformed, Zone.QUARANTINE: kept.quarantine}[zone]
        is_resumable = (folder.source, folder.stream, folder.slice) in self._resumable
        return CHECKPOINT_KEPT if is_resumable else YOUNGEST

    def _is_older(self, folder: Folder, limit: timedelta) -> bool:
        return folder.newest + max(limit, YOUNGEST) < self._now

    def _judged(self, zone: Zone, folders: list[Folder]) -> Iterator[Entry]:
        if zone is Zone.CONFORMED:
            loads = ledger.standing(self._warehouse, [manifest_key(folder.prefix) for folder in folders])
            for folder in folders:
                stands = loads.get(manifest_key(folder.prefix))
                if not stands:
                    unloaded = Reason.NEVER_LOADED if folder.has_manifest else Reason.UNFINISHED
                    yield _entry(folder, unloaded if stands is None else Reason.REPLACED)
        elif zone is Zone.QUARANTINE:
            still_open = ledger.open_rows(self._warehouse, [folder.prefix for folder in folders])
            for folder in folders:
                yield _entry(folder, Reason.NEVER_REPLAYED if folder.prefix in still_open else Reason.EXPIRED)
        else:
            for folder in folders:
                yield _entry(folder, Reason.EXPIRED if folder.has_manifest else Reason.UNFINISHED)


def _is_finished(folder: Folder, zone: Zone) -> bool:
    """Whether an attempt came to its end; what it rejected has its manifest in another zone, and is kept to be seen."""
    return folder.has_manifest or zone is Zone.QUARANTINE


def _entry(folder: Folder, reason: Reason) -> Entry:
    return Entry(
        prefix=folder.prefix,
        room=folder.room,
        source=folder.source,
        stream=folder.stream,
        reason=reason,
        objects=folder.objects,
        bytes=folder.bytes,
        newest=folder.newest,
    )


def manifest_key(prefix: str) -> str:
    """Key of the manifest in a folder."""
    return f"{prefix}/{MANIFEST}"


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut into lists of at most so many."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some
