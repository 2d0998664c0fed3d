"""Arrow arrays as the numpy arrays that kernels take, without copying values."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

# Arrow's own pools keep what was freed, malloc gives it back: a moving process stays some 50 MB smaller.
pa.set_memory_pool(pa.system_memory_pool())

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def repeated(value: datetime | int, count: int) -> pa.Array:
    """A moment or a whole number so many times; not by pa.scalar, which imports pandas."""
    kind: pa.DataType = pa.int64()
    if isinstance(value, datetime):
        kind, value = pa.timestamp("us", "UTC"), (value - EPOCH) // timedelta(microseconds=1)
    return pa.Array.from_buffers(kind, count, [None, pa.py_buffer(np.full(count, value, np.int64))])


def validity(array: pa.Array) -> np.ndarray:
    """A byte a value: 0 for null."""
    bits = array.buffers()[0]
    if bits is None or not array.null_count:
        return np.ones(len(array), np.uint8)
    return _bits(bits, array)


def fixed(array: pa.Array) -> np.ndarray:
    """Values of the same width as integers of that width; decimals as pairs, the low half first."""
    values = array.buffers()[1]
    if pa.types.is_boolean(array.type):
        return _bits(values, array)
    window = slice(array.offset, array.offset + len(array))
    if array.type.bit_width == 128:
        return np.frombuffer(values, np.int64).reshape(-1, 2)[window]
    return np.frombuffer(values, f"i{array.type.bit_width // 8}")[window]


def variable(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Bytes of all values, and where each begins and ends in them."""
    _, offsets, data = array.buffers()
    window = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data, np.uint8) if data else np.empty(0, np.uint8), window


def may_hold_nul(array: pa.Array) -> bool:
    """Whether a byte 0 stands among values of variable size, those behind nulls included."""
    data, offsets = variable(array)
    used = data[offsets[0] : offsets[-1]]
    return bool(len(used)) and not used.min()


def _bits(bits: pa.Buffer, array: pa.Array) -> np.ndarray:
    unpacked = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
    return unpacked[array.offset : array.offset + len(array)]
