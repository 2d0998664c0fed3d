"""Values as Postgres writes them, whatever database or API they come from; what it can't store is refused."""

import json
import re
from collections.abc import Callable, Iterable
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datastack.codec.buffers import may_hold_nul
from datastack.codec.json_records import suspects
from datastack.codec.spans import spans_of

# https://www.postgresql.org/docs/current/datatype-numeric.html: digits before and behind the point.
MOST_WHOLE_DIGITS, MOST_SCALE = 131_072, 16_383

_ZERO_OR_MORE = r"(0|[1-9][0-9]*)(\.[0-9]+)?"
_LESS_THAN_ZERO = r"-(0\.[0-9]*[1-9][0-9]*|[1-9][0-9]*(\.[0-9]+)?)"
_NUMERIC = rf"^(NaN|-?Infinity|{_ZERO_OR_MORE}|{_LESS_THAN_ZERO})$"
_ANY_NUMERIC = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,9})?")
_NOT_FINITE = {
    "nan": "NaN", "inf": "Infinity", "+inf": "Infinity", "-inf": "-Infinity",
    "infinity": "Infinity", "+infinity": "Infinity", "-infinity": "-Infinity",
}  # fmt: skip
_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_ANY_UUID = re.compile(r"[0-9a-f]{4}(-?[0-9a-f]{4}){7}")
_ESCAPED_NUL = re.compile(r"(?<!\\)(\\\\)*\\u0000")

HAS_NUL = "has a NUL character, which Postgres can't store"
HAS_HALF = "has half a surrogate pair, which Postgres can't store"


class UnfitError(ValueError):
    """A value can't be stored as its type; the message says why and does not show it."""


def canonical(values: pa.Array, type_: str) -> pa.Array:
    """Values of a contract type in their one form.

    :param values: in the Arrow type of the contract type.
    :raises UnfitError: if there is one that Postgres can't store.
    """
    written, unfit = fitting(values, type_)
    for reason in unfit.values():
        raise UnfitError(reason)
    return written


def fitting(values: pa.Array, type_: str) -> tuple[pa.Array, dict[int, str]]:
    """Values of a contract type in their one form; and the reason for each that Postgres can't store, null there.

    :param values: in the Arrow type of the contract type.
    """
    if type_ == "numeric":
        return _rewritten(values, _NUMERIC, numeric_text, MOST_SCALE)
    if type_ == "uuid":
        return _rewritten(values, _UUID, _uuid_text)
    if type_ == "text":
        if not may_hold_nul(values):  # as good as always, and found out in no time
            return values, {}
        reasons = dict.fromkeys(pc.indices_nonzero(pc.match_substring(values, "\0")).to_pylist(), HAS_NUL)
        return nulled(values, reasons), reasons
    if type_ == "text[]":
        bad = pc.match_substring(values.flatten(), "\0")
        lists = pc.list_parent_indices(values).filter(pc.fill_null(bad, False)).to_pylist()
        reasons = dict.fromkeys(lists, HAS_NUL)
        return nulled(values, reasons), reasons
    return values, {}


def numeric_text(text: str) -> str:
    """Write a number as Postgres does: all digits, no exponent, no sign of zero.

    :raises UnfitError: if it is none, or has more digits than Postgres keeps.
    """
    text = text.strip(" \t\n\r\v\f")
    if special := _NOT_FINITE.get(text.lower()):
        return special
    if not _ANY_NUMERIC.fullmatch(text):
        raise UnfitError("is not a number")
    number = Decimal(text)
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 it is finite
    if -exponent > MOST_SCALE or (number and number.adjusted() >= MOST_WHOLE_DIGITS):
        raise UnfitError("has more digits than a number may have")
    if not number:
        return format(abs(number), "f") if exponent < 0 else "0"
    return format(number, "f")


def documents(texts: pa.Array) -> tuple[pa.Array, dict[int, str]]:
    """Texts of JSON documents; and the reason for each that Postgres can't keep as jsonb, null there.

    Those that a quick look does not find to be fine are looked at one by one.
    """
    reasons = {}
    for index in suspects(spans_of(texts)):
        try:
            check_document(texts[index].as_py())
        except UnfitError as error:
            reasons[index] = str(error)
    return nulled(texts, reasons), reasons


def nulled(values: pa.Array, reasons: Iterable[int]) -> pa.Array:
    """Values with null at some indices."""
    if not reasons:
        return values
    kept = np.ones(len(values), np.uint8)
    kept[list(reasons)] = 0
    return pc.if_else(mask(kept), values, pa.nulls(len(values), values.type))


def mask(flags: np.ndarray) -> pa.Array:
    """Arrow's booleans of a byte a value; not by pa.array, which imports pandas."""
    packed = pa.py_buffer(np.packbits(flags, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, packed])


def _rewritten(
    values: pa.Array, form: str, rewrite: Callable[[str], str], length: int | None = None
) -> tuple[pa.Array, dict[int, str]]:
    """Values with those rewritten that are not of the form, or longer than ``length``; the others cost no Python."""
    is_right = pc.match_substring_regex(values, form)
    if length:
        is_right = pc.and_(is_right, pc.less_equal(pc.binary_length(values), length))
    wrong = pc.invert(pc.fill_null(is_right, True))
    if not pc.any(wrong).as_py():
        return values, {}
    reasons: dict[int, str] = {}
    rewritten: list[str | None] = []
    for index, text in zip(pc.indices_nonzero(wrong).to_pylist(), values.filter(wrong).to_pylist(), strict=True):
        try:
            rewritten.append(rewrite(text))
        except UnfitError as error:
            reasons[index] = str(error)
            rewritten.append(None)
    return pc.replace_with_mask(values, wrong, pa.array(rewritten, pa.string())), reasons


def _uuid_text(text: str) -> str:
    text = text.lower()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    if not _ANY_UUID.fullmatch(text):
        raise UnfitError("is not a UUID")
    digits = text.replace("-", "")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def check_document(text: str) -> None:
    """Make sure that Postgres can keep a JSON document as jsonb.

    :raises UnfitError: if it can't.
    """
    try:
        document = json.loads(text, parse_int=numeric_text, parse_float=numeric_text, parse_constant=_no_constant)
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise UnfitError("is JSON that is nested too deeply") from None
    except UnicodeEncodeError:
        raise UnfitError(HAS_HALF) from None
    except UnfitError:
        raise
    except ValueError:
        raise UnfitError("is not JSON") from None
    if _ESCAPED_NUL.search(text):
        raise UnfitError(HAS_NUL)


def _no_constant(name: str) -> None:
    raise UnfitError(f"is not JSON: it has {name}")
