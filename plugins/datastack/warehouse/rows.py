"""Rows on their way into the warehouse."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import pyarrow as pa

from datastack.codec.buffers import repeated
from datastack.contract.evolve import physical_type
from datastack.contract.types import arrow_type
from datastack.warehouse.load import Load, WarehouseError


class Rows:
    """Batches with the same values behind every row; counts them, and remembers why reading them failed.

    :param types: contract types of the batches' columns, by name.
    """

    def __init__(self, schema: pa.Schema, types: Mapping[str, str], batches: Iterable[pa.RecordBatch]) -> None:
        self._batches, self.types, self.schema = batches, types, schema
        self._ours: list[datetime | int] = []
        self.failure: Exception | None = None
        self.count = 0
        self.seconds: dict[str, float] = {}  # what each step with them took

    def end_with(self, ours: Mapping[str, datetime | int]) -> None:
        """Give every row these columns at its end."""
        self._ours += ours.values()
        fields = [pa.field(name, repeated(value, 0).type) for name, value in ours.items()]
        self.schema = pa.schema([*self.schema, *fields])

    def drain(self) -> None:
        """Pass over all rows."""
        for _ in self:
            pass

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                self.count += batch.num_rows
                ours = [repeated(value, batch.num_rows) for value in self._ours]
                yield pa.RecordBatch.from_arrays([*batch.columns, *ours], schema=self.schema)
        except Exception as error:
            self.failure = error
            raise


@contextmanager
def blaming(*read: Rows | None) -> Iterator[None]:
    """Raise what failed while rows were read, instead of what that did to the transaction that took them."""
    try:
        yield
    except WarehouseError:
        for rows in read:
            if rows and rows.failure:
                raise rows.failure from None
        raise


def rows_types(load: Load) -> dict[str, str]:
    """Contract types of the rows' columns: the contract's own where the rows were conformed to it."""
    types = {}
    for field in load.schema:
        declared = load.evolved.get(field.name) or load.contract_type(field.name)
        is_that = declared is not None and arrow_type(declared) == field.type
        types[field.name] = declared if is_that and declared else physical_type(field.type)
    return types
