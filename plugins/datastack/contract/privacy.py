"""Treats personal data before it is stored, whole columns at a time."""

import hmac

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datastack.contract.model import Column, Privacy

MASKED = "***"
_HASH_BYTES = 16  # 128 bits, twice the collision strength that 2**32 identities need (NIST SP 800-107, 5.3.4)


class Pseudonymiser:
    """Keyed hash (HMAC-SHA-256, cut to 128 bits, 32 hexadecimal characters) of values' text form.

    The same value and key give the same pseudonym in every source. Values seen are remembered, as identities
    repeat; at most ``remembered`` of them.
    """

    def __init__(self, key: bytes, remembered: int = 1_000_000) -> None:
        if len(key) < 16:
            raise ValueError("the privacy key is shorter than 16 bytes: make one with `openssl rand -hex 32`")
        self._key, self._remembered = key, remembered
        self._known: dict[str, str] = {}

    def __repr__(self) -> str:
        return "Pseudonymiser(key=***)"

    def hash(self, values: pa.Array) -> pa.Array:
        """Pseudonyms of ``values``, of the same length; null stays null."""
        encoded = pc.dictionary_encode(pc.cast(values, pa.string()))
        if len(self._known) > self._remembered:
            self._known.clear()
        texts = encoded.dictionary.to_pylist()
        known = self._known.get
        return _texts([known(text) or self._new(text) for text in texts]).take(encoded.indices)

    def _new(self, text: str) -> str:
        digest = hmac.digest(self._key, text.encode(), "sha256")
        made = self._known[text] = digest[:_HASH_BYTES].hex()
        return made


def _texts(pseudonyms: list[str]) -> pa.Array:
    """All are of one length; made without pa.array, which would import pandas first."""
    offsets = np.arange(len(pseudonyms) + 1, dtype=np.int32) * (2 * _HASH_BYTES)
    content = "".join(pseudonyms).encode("ascii")
    return pa.StringArray.from_buffers(len(pseudonyms), pa.py_buffer(offsets), pa.py_buffer(content))


def protect(values: pa.Array, column: Column, pseudonymiser: Pseudonymiser) -> pa.Array:
    """Apply the column's privacy rule to its values; lists are treated item by item."""
    if not column.is_masked:
        return values
    if pa.types.is_list(values.type):
        items = protect(values.flatten(), column, pseudonymiser)
        return _rebuild(values, items)
    if column.privacy is Privacy.HASH:
        return pseudonymiser.hash(values)
    return pc.if_else(pc.is_valid(values), pa.scalar(MASKED), pa.scalar(None, pa.string()))


def _rebuild(lists: pa.ListArray, items: pa.Array) -> pa.ListArray:
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())])
    return pa.ListArray.from_arrays(offsets, items, mask=pc.is_null(lists))
