"""Rows on their way into the warehouse."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import pyarrow as pa

from datastack.codec.buffers import repeated
from datastack.contract.evolve import physical_type
from datastack.contract.types import arrow_type
from datastack.warehouse.load import Load


class Rows:
    """Batches with the same values behind every row; counts them, and remembers why reading them failed.

    :param types: contract types of the batches' columns, by name.
    :param constants: names and values of the columns that every row ends with.
    """

    def __init__(
        self,
        schema: pa.Schema,
        types: Mapping[str, str],
        batches: Iterable[pa.RecordBatch],
        constants: Mapping[str, datetime | str],
    ) -> None:
        self._batches, self.types = batches, types
        self._constants = list(constants.values())
        ours = [pa.field(name, repeated(value, 0).type) for name, value in constants.items()]
        self.schema = pa.schema([*schema, *ours])
        self.failure: Exception | None = None
        self.count = 0
        self.seconds: dict[str, float] = {}  # what each step with them took

    def drain(self) -> None:
        """Pass over all rows."""
        for _ in self:
            pass

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                self.count += batch.num_rows
                ours = [repeated(value, batch.num_rows) for value in self._constants]
                yield pa.RecordBatch.from_arrays([*batch.columns, *ours], schema=self.schema)
        except Exception as error:
            self.failure = error
            raise


def rows_types(load: Load) -> dict[str, str]:
    """Contract types of the rows' columns: the contract's own where the rows were conformed to it."""
    types = {}
    for field in load.schema:
        declared = load.evolved.get(field.name) or load.contract_type(field.name)
        is_that = declared is not None and arrow_type(declared) == field.type
        types[field.name] = declared if is_that and declared else physical_type(field.type)
    return types
