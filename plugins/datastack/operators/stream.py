"""What operators on one stream share: their declarations, their try, and the XCom that names a manifest."""

import uuid
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from datastack.contract.model import Contract
from datastack.contract.registry import Declared, load_source
from datastack.lake.layout import Place, Zone
from datastack.lake.manifest import Manifest
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.warehouse.load import RunRef

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from datastack.contract.slice import Slice
    from datastack.lake.store import LakeStore


class ToleranceError(ValueError):
    """More rows did not fit their contract than it tolerates."""


class StreamOperator(BaseOperator):
    """Base of operators on a stream.

    :param source: name of a file in include/sources.
    :param stream: one of its streams.
    """

    template_fields: Sequence[str] = ("source", "stream")
    _manifests: tuple[Manifest, ...] = ()  # what was moved, for lineage

    def __init__(self, *, source: str, stream: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.stream = stream

    @cached_property
    def declared(self) -> Declared:
        """The source with its contracts."""
        return load_source(self.source)

    @cached_property
    def contract(self) -> Contract:
        """The stream's contract."""
        return self.declared.contracts[self.stream]

    def place(self, window: "Slice") -> Place:
        """Return where a new attempt at a slice stands."""
        return self.attempt_place(window, uuid.uuid4().hex[:12])

    def attempt_place(self, window: "Slice", attempt: str) -> Place:
        """Return where an attempt at a slice stands."""
        return Place(self.source, self.stream, self.contract.major, window, attempt)

    def store(self, lake: "LakeStore", zone: Zone, place: Place, manifest: Manifest) -> str:
        """Write the manifest that makes an attempt exist; return its key.

        :raises ToleranceError: if too many rows went to quarantine. They stay there to be looked at.
        """
        self._manifests = (*self._manifests, manifest)
        self.log.info("%s.%s %s: %s", self.source, self.stream, place.slice, manifest)
        self._tolerate(lake, manifest)
        key = place.manifest(zone)
        lake.write_manifest(key, manifest)
        return key

    def _tolerate(self, lake: "LakeStore", manifest: Manifest) -> None:
        if self.contract.tolerance.allows(manifest.quarantined_rows, manifest.source_rows):
            return
        common = "; ".join(f"{reason} ({count} rows)" for reason, count in Counter(manifest.reasons).most_common(3))
        raise ToleranceError(
            f"{self.source}.{self.stream} {manifest.slice}: {manifest.quarantined_rows} of {manifest.source_rows} rows "
            f"don't fit {self.contract.file.name}: {common}. They are in {lake.uri(manifest.quarantine[0].key)}; "
            "nothing was loaded. Correct the source or the contract, or raise its tolerance, and clear this task"
        )

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> "OperatorLineage":
        """Name the datasets that were read and written."""
        from airflow.providers.openlineage.extractors import OperatorLineage

        inputs, outputs = self.lineage()
        return OperatorLineage(inputs=inputs, outputs=outputs)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> "OperatorLineage":
        """Name the same datasets: a failed move is on the graph too."""
        return self.get_openlineage_facets_on_complete(task_instance)

    @property
    def moved(self) -> tuple[int, int]:
        """Rows and bytes that were moved; none of a move that failed before it could say."""
        return sum(each.rows for each in self._manifests), sum(each.size for each in self._manifests)

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """Inputs and outputs of the move."""
        raise NotImplementedError


def lake_dataset(operator: StreamOperator, zone: Zone) -> tuple[str, str]:
    """Lineage name of an operator's stream in a zone."""
    return datasets.lake_name(
        connections.lake_bucket(zone), zone, operator.source, operator.stream, operator.contract.major
    )


def lake_output(operator: StreamOperator, zone: Zone, columns: Any = None, columns_from: Any = None) -> Any:
    """Describe what an operator wrote to a zone."""
    masked = [column.name for column in operator.contract.columns if column.is_masked]
    return datasets.written_to(lake_dataset(operator, zone), *operator.moved, columns, columns_from, masked)


def run_ref(context: Any) -> RunRef:
    """Return the Airflow try that a task runs in."""
    ti = context["ti"]
    return RunRef(ti.dag_id, ti.run_id, ti.try_number)
