"""A checksum of rows that does not depend on their order, and that Postgres can compute itself."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from datastack.codec import hashing
from datastack.codec.buffers import fixed, validity, variable
from datastack.codec.decode import UNIX_DAYS, UNIX_MICROSECONDS
from datastack.codec.encode import numeric_bytes, uuid_bytes

MODULUS = 1 << 64
SCRATCH_BYTES = 80_000  # for the kernels: Postgres keeps up to 147,455 digits


def checksum(batch: pa.RecordBatch, types: Sequence[str]) -> int:
    """Sum of a 64-bit hash of each row, modulo 2^64: sums of batches add up to the sum of all rows.

    It equals ``sum(hashint8extended(hash_record_extended(row(…), 0), 0))`` in Postgres, over :func:`checksum_column` of
    each column.

    :param types: contract types of the columns, in order.
    """
    hashes = np.zeros(batch.num_rows, np.uint64)
    for name, array, kind in zip(batch.schema.names, batch.columns, types, strict=True):
        _mix(hashes, name, array, kind)
    return int(hashing.total(hashes))


def checksum_column(name: str, kind: str) -> str:
    """SQL of what counts of a column.

    Of JSON, only its presence: Postgres keeps jsonb in a form of its own.

    :param name: quoted.
    """
    return f"({name} is not null)" if kind == "jsonb" else name


def _mix(hashes: np.ndarray, name: str, array: pa.Array, kind: str) -> None:
    storage = array.storage if isinstance(array, pa.ExtensionArray) else array
    valid = validity(storage)
    if kind == "jsonb":
        hashing.mix_integers(hashes, valid, 0, np.ones(len(valid), np.uint8))
    elif kind == "uuid":
        hashing.mix_bytes(hashes, *uuid_bytes(name, storage, valid), valid)
    elif kind == "numeric" or pa.types.is_decimal(storage.type):
        hashing.mix_numerics(hashes, *numeric_bytes(name, storage, valid), valid, np.empty(SCRATCH_BYTES, np.uint8))
    elif pa.types.is_list(storage.type):
        starts = np.frombuffer(storage.buffers()[1], np.int32)[storage.offset : storage.offset + len(storage) + 1]
        hashing.mix_lists(hashes, starts, *variable(storage.values), validity(storage.values), valid)
    elif pa.types.is_string(storage.type) or pa.types.is_binary(storage.type):
        hashing.mix_bytes(hashes, *variable(storage), valid)
    elif pa.types.is_floating(storage.type):
        bits = fixed(storage)
        numbers = bits.view(f"f{bits.itemsize}").astype(np.float64)
        hashing.mix_floats(hashes, numbers.view(np.int64), numbers, valid, np.empty(8, np.uint8))
    else:
        hashing.mix_integers(hashes, fixed(storage), _shift(storage.type), valid)


def _shift(kind: pa.DataType) -> int:
    if pa.types.is_timestamp(kind):
        return UNIX_MICROSECONDS
    return UNIX_DAYS if pa.types.is_date(kind) else 0
