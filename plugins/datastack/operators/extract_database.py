"""Brings a table's slice into the lake, in one task or spread over several."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from datastack.contract.database_sources import DatabaseSource, DatabaseStream
from datastack.lake.checkpoint import Checkpoint, Plan
from datastack.lake.layout import Zone
from datastack.lake.manifest import ManifestError
from datastack.lineage import datasets
from datastack.operators import connections
from datastack.operators.reach import range_of, range_start
from datastack.operators.stream import StreamOperator, lake_output
from datastack.operators.window import is_given, window
from datastack.warehouse.load import OutdatedError

if TYPE_CHECKING:
    from datastack.contract.slice import Slice
    from datastack.lake.store import LakeStore
    from datastack.operators.extraction import Extraction
    from datastack.source.database import Chunk, OpenTable, Range, Scan


class DatabaseOperator(StreamOperator):
    """Base of operators that read a table."""

    @property
    def table(self) -> DatabaseStream:
        """How the stream is read."""
        return self._source.streams[self.stream]

    @property
    def _source(self) -> DatabaseSource:
        source = self.declared.source
        assert isinstance(source, DatabaseSource)  # noqa: S101 the pipeline chooses by kind
        return source

    def checkpoint(self, lake: "LakeStore", context: Any) -> Checkpoint:
        """Return what earlier tries of the run have left."""
        ti = context["ti"]
        return Checkpoint(lake, self.source, self.stream, self.window(context), f"{ti.dag_id}/{ti.run_id}")

    def window(self, context: Any) -> "Slice":
        """Slice of the run."""
        return window(context, self._source.schedule)

    @contextmanager
    def extraction(self, lake: "LakeStore", context: Any) -> Iterator[tuple["Extraction", "OpenTable"]]:
        """Open the table and go on with the run's attempt, or begin one."""
        from datastack.operators.extraction import Extraction, new_plan
        from datastack.source.database import open_table

        checkpoint = self.checkpoint(lake, context)
        plan = self.plan_of(checkpoint)
        start = plan.range_start if plan else self._range_start(context)
        pseudonymiser = connections.pseudonymiser()
        opened_at = datetime.now(UTC)
        url = connections.database_url(self._source.connection, self._source.kind)
        scan = self._scan(range_of(self.table, self.contract, self.window(context), start))
        with open_table(self._source.kind, url, scan) as table:
            if plan is None:
                plan = new_plan(self.contract, self._chunks(table), start)
                checkpoint.begin(plan)
            yield (
                Extraction(
                    lake=lake,
                    contract=self.contract,
                    stream=self.table,
                    window=self.window(context),
                    pseudonymiser=pseudonymiser,
                    checkpoint=checkpoint,
                    plan=plan,
                    extracted_at=plan.begun_at if table.snapshot is None else opened_at,
                ),
                table,
            )

    def _chunks(self, table: "OpenTable") -> "list[Chunk]":
        """Take the table apart; bounds are stored, so a table whose key is personal data stays in one piece."""
        from datastack.source.database import Chunk

        personal = [column for column in self.contract.columns if column.key_position and column.privacy]
        return [Chunk(1)] if personal else table.chunks(self.table.chunks.rows)

    @contextmanager
    def explained(self, lake: "LakeStore", context: Any) -> Iterator[None]:
        """Say in every error what was being moved and what is kept; forget an attempt that can't go on."""
        from datastack.source.errors import SourceError

        what = f"{self.source}.{self.stream} {self.window(context)}"
        try:
            yield
        except (ManifestError, OutdatedError) as error:
            self.checkpoint(lake, context).end()
            raise type(error)(f"{what}: {error}. The next try reads the slice anew") from error
        except (SourceError, OSError) as error:
            raise type(error)(
                f"{what}: {error}. Nothing was loaded; chunks that were read are kept: the next try goes on from there"
            ) from error

    def plan_of(self, checkpoint: Checkpoint) -> Plan | None:
        """Plan to go on with; one that was made for another version of the contract is of no use."""
        plan = checkpoint.plan()
        return plan if plan and plan.contract_version == self.contract.version else None

    def _range_start(self, context: Any) -> str | None:
        from datastack.warehouse import ledger

        def watermark() -> str | None:
            state = ledger.watermark(connections.postgres_uri(connections.LOADER), self.source, self.stream)
            return state.cursor_high if state else None

        return range_start(self.table, self.contract, self.window(context), is_given(context), watermark)

    def _scan(self, range_: "Range | None") -> "Scan":
        from datastack.source.database import Scan, SourceColumn

        return Scan(
            table=self.table.table,
            columns=tuple(SourceColumn(each.path, each.type, each.is_stored) for each in self.contract.columns),
            key=tuple(map(self.contract.path_of, self.contract.key)),
            range=range_,
            timezone=ZoneInfo(self._source.timezone) if self._source.timezone else None,
        )

    def lineage(self) -> tuple[list[Any], list[Any]]:
        """The table, and the stream in the lake."""
        table, schema = self.source_dataset(), self.contract.arrow_schema
        return [datasets.read_from(table, schema)], [lake_output(self, Zone.CONFORMED, schema, table)]

    def source_dataset(self) -> tuple[str, str]:
        """Lineage name of the table."""
        return connections.database_table(self._source.connection, self._source.kind, self.table.table)


class ExtractDatabaseOperator(DatabaseOperator):
    """Reads a table's slice and writes it, conformed, as Parquet. Returns the key of the manifest.

    A retry, and the tasks before this one where chunks are spread, leave it only what is missing.
    """

    def execute(self, context: Any) -> str:
        """Extract the run's slice."""
        lake = connections.lake_store()
        with self.explained(lake, context), self.extraction(lake, context) as (extraction, table):
            extraction.read_all(table)
            manifest = extraction.finish(table)
        key = self.store(lake, Zone.CONFORMED, extraction.place, manifest)
        extraction.checkpoint.end()
        return key


class PlanChunksOperator(DatabaseOperator):
    """Takes a table's slice apart. Returns the numbers of the chunks, one list for each task that is to read."""

    def execute(self, context: Any) -> list[list[int]]:
        """Plan the run's slice anew."""
        lake = connections.lake_store()
        with self.explained(lake, context):
            self.checkpoint(lake, context).end()
        with self.explained(lake, context), self.extraction(lake, context) as (extraction, _):
            numbers = [chunk.number for chunk in extraction.plan.chunks]
        tasks = self.table.chunks.tasks
        return [share for share in (numbers[at::tasks] for at in range(tasks)) if share]


class ReadChunksOperator(DatabaseOperator):
    """Brings some chunks of a plan into the lake.

    :param chunks: their numbers.
    """

    template_fields: Sequence[str] = (*DatabaseOperator.template_fields, "chunks")

    def __init__(self, *, chunks: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.chunks = chunks

    def execute(self, context: Any) -> None:
        """Read the chunks."""
        lake = connections.lake_store()
        with self.explained(lake, context), self.extraction(lake, context) as (extraction, table):
            rows = extraction.read_all(table, only=self.chunks)
        self.log.info("chunks %s: %d rows", self.chunks, rows)
