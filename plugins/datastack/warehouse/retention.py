"""What the ledger still needs of the lake, and how it is told that something is let go."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from datastack.contract.slice import Slice
from datastack.contract.sql import sql
from datastack.warehouse import ledger
from datastack.warehouse.transaction import transaction

_DOING = "asking the ledger what the lake may let go"


def standing(uri: str, manifest_keys: Sequence[str]) -> dict[str, bool]:
    """Say of manifests whether their loads stand; one that was never loaded is left out.

    :param uri: libpq address of the warehouse, as the loader role.
    :raises WarehouseError: if the warehouse fails.
    """
    with transaction(uri, _DOING) as db:
        db.execute(sql("ops/standing_loads"), (list(manifest_keys),))
        return dict(db.fetchall())


@dataclass(frozen=True)
class Standing:
    """A load that stands; ``is_cut`` if a part of its slice was loaded anew."""

    manifest_key: str
    slice: Slice
    is_cut: bool


def standing_of_stream(uri: str, source: str, stream: str, window: Slice | None) -> list[Standing]:
    """Loads of a stream that stand, oldest first.

    :param window: only loads whose slices share time with it; all unless given.
    """
    bounds = (window.start, window.end) if window else (None, None)
    with transaction(uri, f"asking the ledger what stands of {source}.{stream}") as db:
        db.execute(sql("ops/standing_of_stream"), (source, stream, *bounds))
        return [Standing(key, Slice(start, end), cut) for key, start, end, cut in db.fetchall()]


def open_rows(uri: str, folders: Sequence[str]) -> dict[str, int]:
    """Count the rows that wait for a replay, by the folder of their quarantined parts."""
    with transaction(uri, _DOING) as db:
        db.execute(sql("ops/open_quarantine_rows"), (list(folders),))
        return {folder: int(rows) for folder, rows in db.fetchall()}


@contextmanager
def undisturbed(uri: str, source: str, stream: str) -> Iterator[None]:
    """Let no load and no replay of a stream begin or end meanwhile: what does not stand at the start never will."""
    with transaction(uri, f"holding back loads of {source}.{stream}") as db:
        ledger.lock_stream(db, source, stream)
        yield


def forget_manifests(uri: str, manifest_keys: Sequence[str]) -> set[str]:
    """Tell the ledger that the lake lets manifests go; return those whose loads stand, which it must keep."""
    with transaction(uri, "telling the ledger what the lake lets go") as db:
        db.execute(sql("ops/standing_loads"), (list(manifest_keys),))
        kept = {key for key, stands in db.fetchall() if stands}
        db.execute(sql("ops/forget_manifests"), ([key for key in manifest_keys if key not in kept],))
    return kept


def expire_quarantine(uri: str, folders: Sequence[str]) -> None:
    """Tell the ledger that the lake lets quarantined parts go, replayed or not."""
    with transaction(uri, "telling the ledger which quarantined rows the lake lets go") as db:
        db.execute(sql("ops/expire_quarantine"), (list(folders),))


def old_gate_rows(uri: str, samples_before: datetime, results_before: datetime) -> tuple[int, int]:
    """Count the samples and the results of gates that were checked before these moments."""
    with transaction(uri, "asking the ledger which results of gates are old") as db:
        db.execute(sql("ops/old_gate_rows"), (samples_before, results_before))
        samples, results = db.fetchone()
    return samples, results


def delete_gate_rows(uri: str, samples_before: datetime, results_before: datetime) -> tuple[int, int]:
    """Delete what :func:`old_gate_rows` counts; return how many samples and results went."""
    with transaction(uri, "deleting old samples and results of gates") as db:
        db.execute(sql("ops/delete_gate_samples"), (samples_before,))
        samples = db.rowcount
        db.execute("delete from ops.gate_results where checked_at < $1", (results_before,))
        return samples, db.rowcount
