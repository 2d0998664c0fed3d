"""Records as JSON documents, as an API or a file has them."""

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa

from datastack.contract.conform import Conformed, Conformer
from datastack.contract.received import Records


def text_of(value: Any) -> str:
    """JSON with every digit of decimals, and the value of floats that JSON has not, as text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {text_of(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(text_of, value)) + "]"
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, float) and value - value != 0:
        return json.dumps(str(value))
    return json.dumps(value)


def conform_records(conformer: Conformer, records: list[Any]) -> Conformed:
    """Conform records that stand in one document."""
    return conformer.documents(pa.array([text_of({"data": records})]), Records("data"))
