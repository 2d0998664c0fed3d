"""Finds what of a stream can be conformed once more: what was received of all that stands in the warehouse."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from datastack.contract.database_sources import DatabaseSource
from datastack.contract.file_sources import DocumentStream
from datastack.operators import connections
from datastack.operators.stream import StreamOperator
from datastack.operators.window import given

if TYPE_CHECKING:
    from datastack.lake.store import LakeStore
    from datastack.warehouse.retention import Standing

_LOOKING = 8  # manifests read at once


class ReconformError(ValueError):
    """A stream can't be conformed once more: says which part of it, and what to do instead."""


class PlanReconformOperator(StreamOperator):
    """Returns the keys of the landing manifests that a stream's loads came from, in the order of the loads.

    Takes the params ``window_start`` and ``window_end``, which bound the slices, and ``skip_expired``: leave out loads
    whose landing is past its retention.
    """

    def execute(self, context: Any) -> list[str]:
        """Ask the ledger, then the lake."""
        from datastack.warehouse.retention import standing_of_stream

        self._require_landing()
        window = given(context)
        loads = standing_of_stream(connections.postgres_uri(connections.LOADER), self.source, self.stream, window)
        self._require_whole(loads)
        found = self._landings(connections.lake_store(), loads)
        if expired := [load for load, landing in zip(loads, found, strict=True) if landing is None]:
            self._expired(expired, len(loads), bool(context["params"].get("skip_expired")))
        landings = list(dict.fromkeys(filter(None, found)))
        if not landings:
            raise ReconformError(
                f"{self.source}.{self.stream}{f' {window}' if window else ''}: no load stands whose landing is in the "
                f"lake, so there is nothing to conform. Trigger ingest_{self.source} to read the source"
            )
        self.log.info("%s.%s: %d landings of %d loads", self.source, self.stream, len(landings), len(loads))
        return landings

    def _require_landing(self) -> None:
        if self.stream not in self.declared.source.streams:
            raise ReconformError(
                f"{self.source} has no stream {self.stream!r}: it has {', '.join(sorted(self.declared.source.streams))}"
            )
        if isinstance(self.declared.source, DatabaseSource):
            raise ReconformError(
                f"{self.source}.{self.stream} is read from a database, which is typed already: nothing of it is kept "
                f"as received. Trigger ingest_{self.source} with window_start and window_end to read it again"
            )
        if isinstance(self.declared.source.streams[self.stream], DocumentStream):
            raise ReconformError(
                f"{self.source}.{self.stream} has documents, which are kept as they are: there is nothing to conform. "
                f"Trigger ingest_{self.source}, which looks at the store again"
            )

    def _require_whole(self, loads: "Sequence[Standing]") -> None:
        if cut := [str(load.slice) for load in loads if load.is_cut]:
            raise ReconformError(
                f"{self.source}.{self.stream}: a part of {_some(cut)} was loaded anew since: from landing, rows would "
                f"come back that were replaced. Nothing was changed; trigger ingest_{self.source} with such a window, "
                "which reads it anew with the contract as it is now, or leave it out by window_start and window_end"
            )

    def _landings(self, lake: "LakeStore", loads: "Sequence[Standing]") -> list[str | None]:
        """Key of the landing manifest of each load; None where it is gone."""

        def landing(load: "Standing") -> str | None:
            key = lake.read_manifest(load.manifest_key).landing
            return key if key and lake.exists(key) else None

        with ThreadPoolExecutor(_LOOKING) as pool:
            return list(pool.map(landing, loads))

    def _expired(self, expired: "Sequence[Standing]", loads: int, skip: bool) -> None:
        said = (
            f"{self.source}.{self.stream}: what was received of {len(expired)} of {loads} loads is past its retention "
            f"and not in the lake any more: {_some([str(load.slice) for load in expired])}"
        )
        if not skip:
            raise ReconformError(
                f"{said}. Nothing was changed; trigger ingest_{self.source} with their windows to read them anew, or "
                "this with skip_expired, which leaves them as they are in the warehouse"
            )
        self.log.warning("%s. They stay as they are in the warehouse", said)

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """Nothing is moved."""
        return [], []


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{', '.join(names[:5])}{more}"
