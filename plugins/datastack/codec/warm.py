"""Compiles the kernels ahead of their first use; what is compiled is kept beside them, or in the user's cache."""

import numpy as np
import pyarrow as pa

from datastack.codec.checksum import checksum
from datastack.codec.decode import HEADER, Decoder, Field
from datastack.codec.encode import TRAILER, Encoder
from datastack.codec.warm_text import compile_readers

_DECODED: dict[str, pa.DataType] = {
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "smallint": pa.int16(),
    "boolean": pa.bool_(),
    "double precision": pa.float64(),
    "real": pa.float32(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", "UTC"),
    "numeric(12,2)": pa.decimal128(12, 2),
    "text": pa.string(),
    "bytea": pa.binary(),
    "jsonb": pa.json_(),
    "text[]": pa.list_(pa.string()),
}
_AS_TEXT = {"numeric": b"1.5", "uuid": b"00000000-0000-0000-0000-000000000001"}


def compile_kernels() -> None:
    """Compile all: those that copy rows, and those that read JSON and text."""
    compile_copying()
    compile_readers()


def compile_copying() -> None:
    """Encode, decode and sum a row of every type."""
    kinds = list(_DECODED)
    batch = pa.RecordBatch.from_arrays([_value_and_null(type_) for type_ in _DECODED.values()], names=kinds)
    stream = HEADER + Encoder(kinds).rows(batch) + TRAILER
    decoder = Decoder([Field(kind, type_, kind == "jsonb") for kind, type_ in _DECODED.items()])
    for found in [*decoder.feed(stream), *decoder.finish()]:
        checksum(found, kinds)
    texts = [_value_and_null(pa.string(), text) for text in _AS_TEXT.values()]
    batch = pa.RecordBatch.from_arrays(texts, names=list(_AS_TEXT))
    Encoder(list(_AS_TEXT)).rows(batch)
    checksum(batch, list(_AS_TEXT))


def _value_and_null(type_: pa.DataType, text: bytes = b"1") -> pa.Array:
    """An array of two; not by pa.array, which imports pandas: the tasks that use the kernels don't need it."""
    validity = pa.py_buffer(b"\x01")
    if isinstance(type_, pa.BaseExtensionType):
        return type_.wrap_array(_value_and_null(type_.storage_type))
    if pa.types.is_list(type_):
        offsets = pa.py_buffer(np.array([0, 1, 1], np.int32))
        return pa.ListArray.from_buffers(type_, 2, [validity, offsets], children=[_value_and_null(type_.value_type)])
    if pa.types.is_string(type_) or pa.types.is_binary(type_):
        offsets = pa.py_buffer(np.array([0, len(text), len(text)], np.int32))
        return pa.Array.from_buffers(type_, 2, [validity, offsets, pa.py_buffer(text)])
    return pa.Array.from_buffers(type_, 2, [validity, pa.py_buffer(bytes(32))])
