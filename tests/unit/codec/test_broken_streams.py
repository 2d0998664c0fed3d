"""A stream that is not what was asked for is an error, never fewer or other rows."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datastack.codec.decode import HEADER, CopyFormatError, Decoder, Field
from tests.unit.codec.rows import batch_of, decoded, stream

BATCH = batch_of(pa.array([1, None, 3]), pa.array(["a", "", None]), pa.array([["x", None], [], None]))
SENT = stream(["bigint", "text", "text[]"], BATCH)
FIELDS = [Field("a", pa.int64()), Field("b", pa.string()), Field("c", pa.list_(pa.string()))]


@pytest.mark.parametrize("end", range(len(SENT)))
def test_a_stream_that_was_cut(end: int):
    with pytest.raises(CopyFormatError, match="ended in the middle of a row"):
        decoded(Decoder(FIELDS), [SENT[:end]])


def test_a_stream_that_goes_on_behind_its_end():
    with pytest.raises(CopyFormatError):
        decoded(Decoder(FIELDS), [SENT + b"\0"])


@pytest.mark.parametrize("fields", [FIELDS[:2], [*FIELDS, FIELDS[0]]])
def test_another_number_of_columns(fields: list[Field]):
    with pytest.raises(CopyFormatError, match=f"a row does not have {len(fields)} columns: did the table change"):
        decoded(Decoder(fields), [SENT])


def test_no_header():
    with pytest.raises(CopyFormatError, match="does not begin as a binary COPY"):
        decoded(Decoder(FIELDS), [SENT[len(HEADER) :] + bytes(20)])


@pytest.mark.parametrize("kind", [pa.int32(), pa.int16(), pa.bool_(), pa.date32(), pa.timestamp("us"), pa.float32()])
def test_another_type(kind: pa.DataType):
    sent = stream(["text"], batch_of(pa.array(["12345"])))
    with pytest.raises(CopyFormatError, match="n: values are not of type"):
        decoded(Decoder([Field("n", kind)]), [sent])


@pytest.mark.parametrize(("dimensions", "lower"), [(2, 1), (1, 0), (1, 2)])
def test_arrays_that_are_no_lists(dimensions: int, lower: int):
    words = [dimensions, 0, 25, *[1, lower] * dimensions, 1]
    value = b"".join(word.to_bytes(4, "big") for word in words) + b"x"
    sent = HEADER + b"\0\1" + len(value).to_bytes(4, "big") + value + b"\xff\xff"
    with pytest.raises(CopyFormatError, match=r"tags: only arrays of one dimension that begin at 1 .* as text"):
        decoded(Decoder([Field("tags", pa.list_(pa.string()))]), [sent])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_that_are_anything(noise: bytes):
    """Whatever comes: rows of the right schema, or an error that says so."""
    try:
        got = decoded(Decoder(FIELDS[:2]), [HEADER + noise])
    except CopyFormatError:
        return
    assert all(batch.schema.names == ["a", "b"] for batch in got)
