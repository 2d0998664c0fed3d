"""Fields of JSON records that no contract knows, put into one JSON object a record (:data:`evolve.EXTRA`)."""

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datastack.codec.json_kinds import ARRAY, ESCAPED, FALSE, NUMBER, OBJECT, STRING, TRUE
from datastack.codec.json_records import unstorable
from datastack.codec.spans import Spans, copied
from datastack.contract.canonical import HAS_HALF
from datastack.contract.evolve import EXTRA_FIELD, common, kind, to_json

_TYPES = {"boolean": (FALSE, TRUE), "numeric": (NUMBER,), "text": (STRING, ESCAPED), "jsonb": (OBJECT, ARRAY)}


def extra(rows: int, unknown: dict[str, Spans]) -> tuple[pa.Array, dict[int, str], dict[str, str]]:
    """Values of unknown fields as one object a record; why some can't be stored, by row; and the fields' types.

    :param unknown: values by the names of the columns that they get.
    """
    pieces: list[pa.Array] = []
    reasons: dict[int, str] = {}
    types: dict[str, str] = {}
    for name, spans in unknown.items():
        texts, unfit, odd = _texts(spans)
        reasons = {at: f"{name}: can't be stored: {why}" for at, why in unfit.items()} | reasons
        for type_ in (*_kinds(spans, [*unfit, *odd]), *odd.values()):
            types[name] = common(type_, types.get(name))
        pieces.append(pc.binary_join_element_wise(f", {json.dumps(name)}: ", texts, ""))
    if not pieces:
        return pa.nulls(rows, EXTRA_FIELD.type.storage_type).cast(EXTRA_FIELD.type), reasons, types
    nothing = pa.array([""] * rows, pa.string())  # among nulls only, Arrow would leave the row out
    joined = pc.binary_join_element_wise(nothing, *pieces, "", null_handling="skip")
    inner = pc.ascii_ltrim(joined, characters=", ")
    joined = pc.if_else(pc.equal(pc.binary_length(joined), 0), None, pc.binary_join_element_wise("{", inner, "}", ""))
    return joined.cast(EXTRA_FIELD.type), reasons, types


def _texts(spans: Spans) -> tuple[pa.Array, dict[int, str], dict[int, str]]:
    """JSON texts of values; the reason for each that can't be stored, and the type of each that had to be rewritten."""
    quoted = spans.quoted
    texts, _ = copied(Spans(quoted.data, quoted.starts, quoted.ends, np.zeros_like(spans.kinds)), spans.has_value)
    unfit: dict[int, str] = {}
    odd: dict[int, str] = {}
    problems = unstorable(spans)
    written: list[str | None] = []
    for index in np.flatnonzero(problems).tolist():
        value = json.loads(quoted.raw(index), parse_float=Decimal, parse_int=Decimal)
        try:
            written.append(to_json(value))
            odd[index] = kind(value)
        except UnicodeEncodeError:
            unfit[index] = HAS_HALF
        except ValueError as error:
            unfit[index] = str(error)
        if index in unfit:
            written.append(None)
    if written:
        texts = pc.replace_with_mask(texts, pa.array(problems != 0), pa.array(written, pa.string()))
    return texts, unfit, odd


def _kinds(spans: Spans, without: list[int]) -> list[str]:
    """Types of values, but for some of them."""
    kinds = np.delete(spans.kinds, without) if without else spans.kinds
    return [name for name, of in _TYPES.items() if np.isin(kinds, of).any()]
