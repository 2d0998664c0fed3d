"""Reads a column of texts as its contract type: JSON values of all kinds, or the texts of CSV and its like.

Exact values or a reason: nothing is cut, rounded (but to the nearest float), or read as something else.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from datastack.codec import parse
from datastack.codec.json_kinds import ARRAY, ASTRAY, ESCAPED, NUL, NULL, NUMBER, OBJECT, STRING, TEXT
from datastack.codec.json_records import items_of, unstorable
from datastack.codec.json_tree import FieldTree
from datastack.codec.spans import Spans, copied, strings
from datastack.codec.text_numbers import are_identities
from datastack.contract.canonical import HAS_HALF, HAS_NUL, UnfitError, check_document, documents, fitting, nulled
from datastack.contract.model import Column, Privacy
from datastack.contract.types import arrow_type

Unfit = dict[int, str]  # reasons by row


def read(spans: Spans, column: Column) -> tuple[pa.Array, Unfit]:
    """Values in the column's Arrow type; and the reason for each that does not fit, null there."""
    if column.type == "text[]":
        return _lists(spans, column)
    values, fits, reasons = _one(spans, column)
    for index in np.flatnonzero(fits == 0).tolist():
        reasons[index] = _wrong(spans, index, column)
    return values, reasons


def _one(spans: Spans, column: Column) -> tuple[pa.Array, np.ndarray, Unfit]:
    type_ = arrow_type(column.type)
    if column.privacy is Privacy.HASH:
        return _identities(spans)
    if column.type in _TEXTS:
        return _TEXTS[column.type](spans, column)
    return (*_parsed(spans, type_), {})


def _parsed(spans: Spans, type_: pa.DataType) -> parse.Parsed:
    if pa.types.is_boolean(type_):
        return parse.booleans(spans)
    if pa.types.is_integer(type_):
        return parse.whole_numbers(spans, type_)
    if pa.types.is_decimal(type_):
        return parse.decimals(spans, type_)
    if pa.types.is_floating(type_):
        return parse.floats(spans, type_)
    if pa.types.is_date(type_):
        return parse.dates(spans)
    return parse.moments(spans, type_) if pa.types.is_timestamp(type_) else parse.times(spans, type_)


def _wrong(spans: Spans, index: int, column: Column) -> str:
    if spans.kinds[index] == ASTRAY:
        return f"what leads to {column.path} is no object, or names it twice"
    return _named(spans, index, column, f"is not of type {column.type}")


def _named(spans: Spans, index: int, column: Column, why: str) -> str:
    """A reason with the value in front, where it may be shown."""
    return why if column.is_secret or why == HAS_NUL else f"{spans.shown(index)!r} {why}"


def _text(spans: Spans, column: Column) -> tuple[pa.Array, np.ndarray, Unfit]:
    """Strings; a personal one that is masked may hold anything."""
    values, fits, reasons = _strings(spans, spans.are_of(STRING, ESCAPED, TEXT))
    if column.is_masked:
        return values, fits, {}
    if np.any(spans.kinds == TEXT):
        _, of_texts = fitting(values, "text")
        reasons = of_texts | reasons
    return nulled(values, reasons), fits, reasons


def _strings(spans: Spans, wanted: np.ndarray) -> tuple[pa.Array, np.ndarray, Unfit]:
    values, problems = copied(spans, wanted)
    reasons = {}
    for index in np.flatnonzero(problems).tolist():
        reasons[index] = HAS_NUL if problems[index] == NUL else HAS_HALF
    return values, wanted | (1 - spans.has_value), reasons


def _identities(spans: Spans) -> tuple[pa.Array, np.ndarray, Unfit]:
    """Identities in one text form whatever their type is: 105 and "105" are the same household."""
    numbers = spans.are_of(NUMBER)
    fits = numbers.copy()
    are_identities(spans.data, spans.starts, spans.ends, numbers, fits)
    values, fits, reasons = _strings(spans, fits | spans.are_of(STRING, ESCAPED, TEXT))
    halves = {index: why for index, why in reasons.items() if why == HAS_HALF}  # two of them would be the same text
    return nulled(values, halves), fits, halves


def _numeric(spans: Spans, column: Column) -> tuple[pa.Array, np.ndarray, Unfit]:
    return _in_one_form(spans, column, spans.are_of(NUMBER, STRING, ESCAPED, TEXT))


def _uuid(spans: Spans, column: Column) -> tuple[pa.Array, np.ndarray, Unfit]:
    return _in_one_form(spans, column, spans.are_of(STRING, ESCAPED, TEXT))


def _in_one_form(spans: Spans, column: Column, wanted: np.ndarray) -> tuple[pa.Array, np.ndarray, Unfit]:
    values, fits, reasons = _strings(spans, wanted)
    values, others = fitting(values, column.type)
    return values, fits, {at: _named(spans, at, column, why) for at, why in (others | reasons).items()}


def _bytes(spans: Spans, column: Column) -> tuple[pa.Array, np.ndarray, Unfit]:
    """Bytes in Postgres's own form: a backslash, an x, and hexadecimal digits."""
    plain = spans.plain
    wanted = plain.are_of(STRING, TEXT)
    fits = wanted.copy()
    found = []
    for index in np.flatnonzero(wanted).tolist():
        text = plain.raw(index)
        try:
            found.append(bytes.fromhex(text[2:].decode("ascii")) if text[:2] == b"\\x" and b" " not in text else None)
        except ValueError:
            found.append(None)
        fits[index] = found[-1] is not None
    offsets = np.zeros(len(spans) + 1, np.int32)
    offsets[1:][wanted == 1] = [len(each or b"") for each in found]
    data = np.frombuffer(b"".join(each or b"" for each in found), np.uint8)
    values = strings(data, np.cumsum(offsets, dtype=np.int32), fits, pa.binary())
    return values, fits | (1 - spans.has_value), {}


def _json(spans: Spans, column: Column) -> tuple[pa.Array, np.ndarray, Unfit]:
    """Values as their own JSON text, checked; the texts of CSV are JSON documents themselves."""
    quoted = spans.quoted
    usable = spans.has_value & (1 - spans.are_of(ASTRAY))
    texts, _ = copied(Spans(quoted.data, quoted.starts, quoted.ends, np.zeros_like(spans.kinds)), usable)
    if np.any(spans.kinds == TEXT):
        texts, reasons = documents(texts)
    else:
        reasons = {}
        for index in np.flatnonzero(unstorable(spans)).tolist():
            try:
                check_document(texts[index].as_py())
            except UnfitError as error:
                reasons[index] = str(error)
        texts = nulled(texts, reasons)
    values = pa.json_().wrap_array(texts)
    return values, usable | (1 - spans.has_value), {at: _named(spans, at, column, why) for at, why in reasons.items()}


_TEXTS: dict[str, Callable[[Spans, Column], tuple[pa.Array, np.ndarray, Unfit]]] = {
    "text": _text,
    "numeric": _numeric,
    "uuid": _uuid,
    "bytea": _bytes,
    "jsonb": _json,
}


def _lists(spans: Spans, column: Column) -> tuple[pa.Array, Unfit]:
    """Lists of texts, or of one field of objects (``a[].b``)."""
    items, owners = items_of(spans)
    if field := column.path.partition("[].")[2]:
        items = _below(items, tuple(field.split(".")))
    item = column.model_copy(update={"type": "text"})
    values, unfit = read(items, item)
    counts = np.bincount(owners, minlength=len(spans))
    offsets = np.zeros(len(spans) + 1, np.int32)
    np.cumsum(counts, out=offsets[1:])
    valid = spans.are_of(ARRAY)
    kept = np.packbits(valid, bitorder="little")
    lists = pa.ListArray.from_buffers(
        arrow_type("text[]"), len(spans), [pa.py_buffer(kept), pa.py_buffer(offsets)], children=[values]
    )
    reasons: Unfit = {}
    for index, why in unfit.items():
        owner = int(owners[index])
        is_told = why == HAS_NUL or items.kinds[index] == ASTRAY
        reasons.setdefault(owner, why if is_told else _wrong(spans, owner, column))
    for index in np.flatnonzero(valid | (1 - spans.has_value) == 0).tolist():
        reasons[index] = _wrong(spans, index, column)
    return nulled(lists, reasons), reasons


def _below(items: Spans, path: tuple[str, ...]) -> Spans:
    """A field of each item that is an object."""
    objects = np.flatnonzero(items.kinds == OBJECT)
    tree = FieldTree([path])
    fields = tree.take(items.take(objects))
    column = fields.columns[0]
    starts, ends = np.zeros(len(items), np.int64), np.zeros(len(items), np.int64)
    kinds = np.where(items.kinds == NULL, np.uint8(NULL), np.uint8(ASTRAY))
    starts[objects], ends[objects] = column.starts, column.ends
    kinds[objects] = np.where(fields.problems != 0, np.uint8(ASTRAY), column.kinds)
    return Spans(items.data, starts, ends, kinds)
