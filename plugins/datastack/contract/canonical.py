"""Values as Postgres writes them, whatever database or API they come from; what it can't store is refused."""

import json
import re
from collections.abc import Callable
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

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


class UnfitError(ValueError):
    """A value can't be stored as its type; the message says why and does not show it."""


def canonical(values: pa.Array, type_: str) -> pa.Array:
    """Values of a contract type in their one form.

    :param values: in the Arrow type of the contract type.
    :raises UnfitError: if there is one that Postgres can't store.
    """
    if type_ == "numeric":
        return _rewritten(values, _NUMERIC, numeric_text, MOST_SCALE)
    if type_ == "uuid":
        return _rewritten(values, _UUID, _uuid_text)
    if type_ in ("text", "text[]"):
        _no_nul(values.flatten() if type_ == "text[]" else values)
    return values


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


def documents(values: pa.Array) -> pa.Array:
    """Texts of JSON documents that Postgres can keep as jsonb.

    :raises UnfitError: if there is another one.
    """
    for text in values.to_pylist():
        if text is not None:
            _check_document(text)
    return values


def _rewritten(values: pa.Array, form: str, rewrite: Callable[[str], str], length: int | None = None) -> pa.Array:
    """Values with those rewritten that are not of the form, or longer than ``length``; the others cost no Python."""
    is_right = pc.match_substring_regex(values, form)
    if length:
        is_right = pc.and_(is_right, pc.less_equal(pc.binary_length(values), length))
    is_right = pc.fill_null(is_right, True)
    wrong = pc.invert(is_right)
    if not pc.any(wrong).as_py():
        return values
    rewritten = pa.array([rewrite(text) for text in values.filter(wrong).to_pylist()], pa.string())
    return pc.replace_with_mask(values, wrong, rewritten)


def _uuid_text(text: str) -> str:
    text = text.lower()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    if not _ANY_UUID.fullmatch(text):
        raise UnfitError("is not a UUID")
    digits = text.replace("-", "")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _no_nul(values: pa.Array) -> None:
    if pc.any(pc.match_substring(values, "\0")).as_py():
        raise UnfitError("has a NUL character, which Postgres can't store")


def _check_document(text: str) -> None:
    try:
        document = json.loads(text, parse_int=numeric_text, parse_float=numeric_text, parse_constant=_no_constant)
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise UnfitError("is JSON that is nested too deeply") from None
    except UnicodeEncodeError:
        raise UnfitError("has half a surrogate pair, which Postgres can't store") from None
    except UnfitError:
        raise
    except ValueError:
        raise UnfitError("is not JSON") from None
    if _ESCAPED_NUL.search(text):
        raise UnfitError("has a NUL character, which Postgres can't store")


def _no_constant(name: str) -> None:
    raise UnfitError(f"is not JSON: it has {name}")
