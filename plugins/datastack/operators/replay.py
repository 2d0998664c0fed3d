"""Replays what was quarantined, after what it did not fit was mended."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from datastack.contract.registry import load_source, source_names
from datastack.lake.layout import Zone
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.copy import LoadingOperator
from datastack.operators.stream import lake_dataset, lake_output, run_ref


class PlanReplayOperator(BaseOperator):
    """Tells which streams have quarantined rows that can be replayed: a mapping of ``source`` and ``stream`` each.

    :param source: only of this one; empty for all.
    :param stream: only this one; empty for all.
    """

    template_fields: Sequence[str] = ("source", "stream")

    def __init__(self, *, source: str, stream: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.stream = stream

    def execute(self, context: Any) -> list[dict[str, str]]:
        """Ask the ledger."""
        from datastack.operators.replaying import common
        from datastack.warehouse.quarantine import waiting

        declared = self._declared()
        uri = connections.postgres_uri(connections.LOADER)
        found = []
        for each in waiting(uri, self.source or None, self.stream or None):
            said = (each.source, each.stream, each.rows, each.parts, common(each.reasons))
            if (each.source, each.stream) in declared:
                self.log.info("%s.%s: %d rows in %d parts: %s", *said)
                found.append({"source": each.source, "stream": each.stream})
            else:
                self.log.warning("%s.%s is not declared any more: %d rows in %d parts stay in quarantine: %s", *said)
        if not found:
            raise AirflowSkipException("nothing is in quarantine that could be replayed")
        return found

    def _declared(self) -> set[tuple[str, str]]:
        streams = {(name, stream) for name in source_names() for stream in load_source(name).source.streams}
        wanted = [each for each in streams if self.source in ("", each[0]) and self.stream in ("", each[1])]
        if not wanted:
            listed = ", ".join(sorted(".".join(each) for each in streams))
            raise ValueError(f"no stream is declared as {self.source or '*'}.{self.stream or '*'}: there are {listed}")
        return streams


class ReplayOperator(LoadingOperator):
    """Conforms a stream's quarantined rows with its contract as it is now, and loads those that fit.

    What still does not fit goes to a new part with its new reasons. Returns source, stream, and the rows that the run
    has brought to the raw table; skipped where it brought none.
    """

    def execute(self, context: Any) -> dict[str, Any]:
        """Replay the stream."""
        from datastack.operators.replaying import Replaying
        from datastack.warehouse.quarantine import replayed_rows

        uri, run = connections.postgres_uri(connections.LOADER), run_ref(context)
        replaying = Replaying(
            lake=connections.lake_store(),
            contract=self.contract,
            stream=self.declared.source.streams[self.stream],
            pseudonymiser=connections.pseudonymiser(),
            warehouse=uri,
            run=run,
        )
        for load, outcome in replaying.loads():
            self.told(load, outcome)
        self._manifests = tuple(replaying.manifests)
        rows = replayed_rows(uri, self.source, self.stream, run)
        if rows is None:
            raise AirflowSkipException(f"{self.source}.{self.stream}: nothing could be replayed")
        return {"source": self.source, "stream": self.stream, "rows": rows}

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """What was set aside, the stream in the lake, and its raw table."""
        aside, schema = lake_dataset(self, Zone.QUARANTINE), self.contract.arrow_schema
        lake = lake_dataset(self, Zone.CONFORMED)
        raw = datasets.written_to(self.warehouse_dataset(), *self.moved, schema, lake)
        return [datasets.read_from(aside)], [lake_output(self, Zone.CONFORMED, schema, aside), raw]
