"""Spans of text turned into typed Arrow arrays: exact values, and which of them did not fit."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datastack.codec import text_numbers, text_times
from datastack.codec.buffers import validity
from datastack.codec.json_kinds import FALSE, NUMBER, STRING, TEXT, TRUE
from datastack.codec.spans import Spans, copied, fixed_width

Parsed = tuple[pa.Array, np.ndarray]  # values, and a byte each: 0 for one that has a value, but does not fit

_NAMED = "^[+-]?(nan|inf|infinity)$"


def booleans(spans: Spans) -> Parsed:
    """``true`` and ``false``, or texts that say the same."""
    values = (spans.kinds == TRUE).astype(np.uint8)
    wanted, fits = _wanted(spans, (TEXT,))
    text_times.truths(spans.data, spans.starts, spans.ends, wanted, values, fits)
    fits |= spans.are_of(TRUE, FALSE)
    packed = np.packbits(values, bitorder="little")
    return fixed_width(pa.bool_(), packed, fits & spans.has_value), _or_none(spans, fits)


def whole_numbers(spans: Spans, type_: pa.DataType) -> Parsed:
    """Whole numbers of 16, 32 or 64 bits, however they are written."""
    spans = spans.plain
    wanted, fits = _wanted(spans, (NUMBER, STRING, TEXT))
    values = np.empty(len(spans), np.dtype(f"i{type_.bit_width // 8}"))
    limits = np.iinfo(values.dtype)
    text_numbers.whole_numbers(
        spans.data, spans.starts, spans.ends, wanted, int(limits.min), int(limits.max), values, fits
    )
    return fixed_width(type_, values, fits), _or_none(spans, fits)


def decimals(spans: Spans, type_: pa.DataType) -> Parsed:
    """Numbers of a fixed number of digits."""
    spans = spans.plain
    wanted, fits = _wanted(spans, (NUMBER, STRING, TEXT))
    values = np.empty((len(spans), 2), np.int64)
    text_numbers.decimals(spans.data, spans.starts, spans.ends, wanted, type_.precision, type_.scale, values, fits)
    return fixed_width(type_, values, fits), _or_none(spans, fits)


def floats(spans: Spans, type_: pa.DataType) -> Parsed:
    """Numbers as the nearest float; as text also NaN and the infinities."""
    spans = spans.plain
    wanted, fits = _wanted(spans, (NUMBER, STRING, TEXT))
    text_numbers.are_numbers(spans.data, spans.starts, spans.ends, wanted, fits)
    values = copied(spans, fits)[0].cast(type_)
    numbers = np.frombuffer(values.buffers()[1], np.dtype(f"f{type_.bit_width // 8}"))
    fits &= np.isfinite(numbers) | (fits == 0)  # a number beyond the largest float would be infinite
    rest = wanted & (1 - fits) & spans.are_of(STRING, TEXT)
    if rest.any():
        named = copied(spans, rest)[0]
        named = pc.if_else(
            pc.match_substring_regex(named, _NAMED, ignore_case=True), named, pa.nulls(1, pa.string())[0]
        )
        fits |= validity(named)
        values = pc.coalesce(named.cast(type_), values)
        numbers = np.frombuffer(values.buffers()[1], numbers.dtype)
    return fixed_width(type_, numbers, fits), _or_none(spans, fits)


def dates(spans: Spans) -> Parsed:
    """Dates of ISO 8601."""
    values = np.empty(len(spans), np.int32)
    return _timed(spans, pa.date32(), values, text_times.days)


def times(spans: Spans, type_: pa.DataType) -> Parsed:
    """Times of day."""
    return _timed(spans, type_, np.empty(len(spans), np.int64), text_times.clocks)


def moments(spans: Spans, type_: pa.DataType) -> Parsed:
    """Times of ISO 8601: with a zone, if the type has one, else without."""
    zoned = type_.tz is not None

    def read(data: np.ndarray, starts: np.ndarray, ends: np.ndarray, wanted: np.ndarray, *out: np.ndarray) -> None:
        text_times.moments(data, starts, ends, wanted, zoned, *out)

    return _timed(spans, type_, np.empty(len(spans), np.int64), read)


def _timed(spans: Spans, type_: pa.DataType, values: np.ndarray, read: Callable[..., None]) -> Parsed:
    spans = spans.plain
    wanted, fits = _wanted(spans, (STRING, TEXT))
    read(spans.data, spans.starts, spans.ends, wanted, values, fits)
    return fixed_width(type_, values, fits), _or_none(spans, fits)


def _wanted(spans: Spans, kinds: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A byte a value: 1 if it is of one of the kinds; and the same once more, to be written to."""
    wanted = spans.are_of(*kinds)
    return wanted, wanted.copy()


def _or_none(spans: Spans, fits: np.ndarray) -> np.ndarray:
    """What fits, or has no value that could not."""
    return fits | (1 - spans.has_value)
