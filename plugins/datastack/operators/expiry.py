"""Lets go what a plan names: old results of gates, then the lake's; the ledger is told before the objects go."""

import logging
from dataclasses import dataclass
from itertools import groupby

from datastack.lake.inventory import Inventory
from datastack.lake.layout import Zone
from datastack.operators.retention import AT_ONCE, Entry, RetentionPlan, batches, manifest_key
from datastack.warehouse import retention as ledger

log = logging.getLogger(__name__)


@dataclass
class Done:
    """What carrying out a plan came to, in folders, objects and rows of the ledger."""

    deleted: int = 0
    objects: int = 0
    bytes: int = 0
    gone_before: int = 0
    kept: int = 0
    gate_samples: int = 0
    gate_results: int = 0


def carry_out(plan: RetentionPlan, inventory: Inventory, warehouse: str) -> Done:
    """Delete what a plan names and the ledger still does not need; safe to repeat.

    Of each batch the ledger is told first; loads and replays of the stream wait meanwhile, so that none can begin to
    need what is going.

    :param warehouse: libpq address, as the loader role.
    """
    samples, results = ledger.delete_gate_rows(warehouse, plan.samples_before, plan.results_before)
    done = Done(gate_samples=samples, gate_results=results)
    entries = sorted(plan.entries, key=_place)
    for (room, source, stream), of_stream in groupby(entries, key=_place):
        for some in batches(of_stream, AT_ONCE):
            with ledger.undisturbed(warehouse, source, stream):
                _let_go(room, _unchanged(some, inventory, done), inventory, warehouse, done)
    return done


def _let_go(room: str, entries: list[Entry], inventory: Inventory, warehouse: str, done: Done) -> None:
    kept: set[str] = set()
    if room == Zone.CONFORMED:
        kept = ledger.forget_manifests(warehouse, [manifest_key(entry.prefix) for entry in entries])
    elif room == Zone.QUARANTINE:
        ledger.expire_quarantine(warehouse, [entry.prefix for entry in entries])
    going = [entry for entry in entries if manifest_key(entry.prefix) not in kept]
    inventory.delete([entry.prefix for entry in going])
    done.deleted += len(going)
    done.objects += sum(entry.objects for entry in going)
    done.bytes += sum(entry.bytes for entry in going)
    for key in sorted(kept):
        log.warning("%s is kept: its load stands in the warehouse by now", key)
    done.kept += len(kept)


def _unchanged(entries: list[Entry], inventory: Inventory, done: Done) -> list[Entry]:
    """Leave out what is gone already, and what somebody has written to since."""
    left = []
    for entry in entries:
        folder = inventory.folder(entry.prefix)
        if folder is None:
            done.gone_before += 1
        elif folder.newest > entry.newest:
            log.warning("%s is kept: it was written to at %s, after it was planned", entry.prefix, folder.newest)
            done.kept += 1
        else:
            left.append(entry)
    return left


def _place(entry: Entry) -> tuple[str, str, str]:
    return entry.room, entry.source, entry.stream
