"""What is encoded is decoded as it was: every type, every value, however the bytes are cut."""

from decimal import Context, Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datastack.codec.decode import BUFFER_BYTES, CopyFormatError, Decoder, Field
from datastack.codec.encode import EncodeError, Encoder
from tests.unit.codec.rows import PLAIN, array, batch_of, batches, bits, decimals, decoded, fields, one, stream


def plain(value: Decimal) -> str:
    """Text of a number as Postgres writes it."""
    return format(value if value else abs(value), "f")


KINDS = [*PLAIN, "numeric(12,2)", "numeric(38,0)"]
WIDE = Context(prec=80)


def round_trip(kinds: list[str], batch: pa.RecordBatch, size: int | None = None) -> pa.RecordBatch:
    data = stream(kinds, batch)
    step = size or len(data)
    chunks = [data[at : at + step] for at in range(0, len(data), step)]
    return one(decoded(Decoder(fields(batch)), chunks), batch.schema)


@pytest.mark.parametrize("kind", PLAIN)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_every_type_comes_back_as_it_was(kind: str, data: st.DataObject):
    batch = data.draw(batches((kind, "text", kind)))
    got = round_trip([kind, "text", kind], batch)
    got.validate(full=kind != "time")  # Arrow has no 24:00, and carries it all the same
    assert got.schema.types == batch.schema.types
    assert bits(got) == bits(batch)


@settings(max_examples=20, deadline=None)
@given(batches(("text", "bigint", "text[]", "bytea"), most=5), st.integers(1, 7))
def test_the_stream_may_be_cut_into_any_pieces(batch: pa.RecordBatch, size: int):
    assert bits(round_trip(["text", "bigint", "text[]", "bytea"], batch, size)) == bits(batch)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_decimals_of_every_precision_and_scale(data: st.DataObject):
    precision = data.draw(st.integers(1, 38))
    scale = data.draw(st.integers(0, precision))
    values = data.draw(st.lists(decimals(precision, scale) | st.none(), min_size=1, max_size=6))
    batch = batch_of(pa.array(values, pa.decimal128(precision, scale)))
    got = round_trip([f"numeric({precision},{scale})"], batch)
    assert got.column(0).type == pa.decimal128(precision, scale)
    assert got.column(0).to_pylist() == values


@settings(max_examples=100, deadline=None)
@given(decimals(38, 19), st.integers(1, 38), st.integers(0, 38))
def test_a_number_fits_a_decimal_exactly_or_comes_as_text(value: Decimal, precision: int, scale: int):
    """Decoded into another type than it was sent in: the same number, or its text, and never a rounded one."""
    scale = min(scale, precision)
    sent = stream(["numeric(38,19)"], batch_of(pa.array([value], pa.decimal128(38, 19))))
    column = decoded(Decoder([Field("n", pa.decimal128(precision, scale))]), [sent])[0].column(0)
    fits = value == value.quantize(Decimal(1).scaleb(-scale), context=WIDE) and abs(value) < 10 ** (precision - scale)
    assert pa.types.is_decimal(column.type) == fits
    assert column.to_pylist() == ([value] if fits else [format(value, "f")])


def test_a_number_that_does_not_fit_says_what_was_expected():
    numbers = ["NaN", "1.50", None, "Infinity", "-Infinity", "0.000", "-0.005", "12345678901234.5", "0"]
    sent = stream(["numeric"], batch_of(pa.array(numbers)))
    [batch] = decoded(Decoder([Field("n", pa.decimal128(6, 2))]), [sent])
    assert batch.column(0).to_pylist() == numbers
    assert batch.schema.field("n").metadata == {b"precision": b"6", b"scale": b"2"}


NUMBERS = [
    "0", "0.000", "1", "-1", "10000", "9999", "0.0001", "0.00001", "-0.00000000012", "1000000000000000000000000000000",
    "9" * 1000, "-" + "9" * 500 + "." + "1" * 500, "0." + "0" * 998 + "1", "NaN", "Infinity", "-Infinity", None,
]  # fmt: skip


@given(st.lists(st.sampled_from(NUMBERS) | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(plain)))
def test_numerics_of_any_scale_keep_their_text(numbers: list[str | None]):
    """Encoded from text; what Postgres would write is what the decoder's own text of such a value is."""
    sent = stream(["numeric"], batch_of(pa.array([*numbers, "NaN"], pa.string())))
    [batch] = decoded(Decoder([Field("n", pa.decimal128(1, 0))]), [sent])
    assert batch.column(0).to_pylist() == [*numbers, "NaN"]


@pytest.mark.parametrize(
    "text", ["", "-", ".", "+1", "1e3", "1.2.3", " 1", "Nan", "NaNs", "-NaN", "Inf", "infinity", "1_0"]
)
def test_text_that_is_no_number_is_refused(text: str):
    with pytest.raises(EncodeError, match="c0: holds text that is no number"):
        Encoder(["numeric"]).rows(batch_of(pa.array(["1", text])))


@given(st.lists(st.uuids() | st.none()))
def test_uuids_travel_as_sixteen_bytes(values: list):
    texts = pa.array([None if value is None else str(value) for value in values], pa.string())
    sent = stream(["uuid"], batch_of(texts))
    got = decoded(Decoder([Field("u", pa.binary())]), [sent])
    assert [value for batch in got for value in batch.column(0).to_pylist()] == [
        None if value is None else value.bytes for value in values
    ]


@pytest.mark.parametrize("text", ["", "x", "0" * 36, "{00000000-0000-0000-0000-00000000000}", "0" * 32])
def test_text_that_is_no_uuid_is_refused(text: str):
    with pytest.raises(EncodeError, match="c0: holds text that is no UUID"):
        Encoder(["uuid"]).rows(batch_of(pa.array([text])))


@pytest.mark.parametrize("count", [1, 1600])
def test_no_rows_and_many_columns(count: int):
    kinds = [KINDS[at % len(KINDS)] for at in range(count)]
    empty = batch_of(*(array(kind, []) for kind in kinds))
    assert round_trip(kinds, empty).num_rows == 0
    full = batch_of(*(array(kind, [None, None]) for kind in kinds))
    assert bits(round_trip(kinds, full)) == bits(full)


def test_many_rows_come_in_several_batches():
    batch = batch_of(pa.array(range(100_000)), pa.array([None, "x"] * 50_000))
    got = decoded(Decoder(fields(batch)), [stream(["bigint", "text"], batch)])
    assert len(got) > 1
    assert one(got, batch.schema) == batch


def test_values_larger_than_the_buffer():
    texts = ["a", "b" * (3 * BUFFER_BYTES), "", None, "c" * (BUFFER_BYTES - 1), "d"]
    batch = batch_of(pa.array(texts), pa.array(range(6)))
    assert round_trip(["text", "bigint"], batch, 1 << 20) == batch


@pytest.mark.parametrize("shift", [1, 10_957])
@pytest.mark.parametrize("kind", ["timestamp", "date"])
def test_times_that_the_other_side_does_not_know_are_refused(kind: str, shift: int):
    """Arrow's calendar ends before Postgres's, and Postgres's begins after Arrow's: no time may become another."""
    size = 64 if kind == "timestamp" else 32
    with pytest.raises(EncodeError, match="c0: holds a time before those that Postgres has"):
        Encoder([kind]).rows(batch_of(array(kind, [-(2 ** (size - 1)) + shift])))


def test_a_time_later_than_arrow_knows_is_refused():
    latest = (2**63 - 2) - 946_684_800_000_000
    for number, fits in ((latest, True), (latest + 1, False), (2**63 - 2, False), (2**63 - 1, True)):
        sent = stream(["bigint"], batch_of(pa.array([None, number])))
        decoder = Decoder([Field("at", pa.timestamp("us"))])
        if fits:
            assert decoded(decoder, [sent])[0].num_rows == 2
        else:
            with pytest.raises(CopyFormatError, match=r"at: has a time after 294247-01-10.*declare the column as text"):
                decoded(decoder, [sent])
