"""What an answer says of itself: how many records, how many there are in all, where the next ones are."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from datastack.contract.api_paging import OnePage
from datastack.contract.api_sources import Endpoint
from datastack.source.rest.answer import Answer
from datastack.source.rest.errors import ContradictionError, PassingError

# Values that nobody asks for are skipped, not parsed: a page costs the same whatever is in its records.
_mapping = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])


class Content:
    """An answer's body, looked into only where asked.

    :raises ContradictionError: if it is not JSON.
    :raises PassingError: if it is cut short.
    """

    def __init__(self, answer: Answer) -> None:
        self._whole = msgspec.Raw(answer.body)
        self._top: dict[str, msgspec.Raw] | None = None
        try:
            self._top = _mapping.decode(answer.body)
        except msgspec.ValidationError:
            pass  # JSON, but no mapping: nothing can be found in it by name
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if "truncated" in str(error):
                raise PassingError(f"the answer is cut short after {len(answer.body):,} bytes") from None
            self._whole = _tolerated(answer, error)
            with suppress(msgspec.ValidationError):
                self._top = _mapping.decode(self._whole)

    def raw(self, path: str | None) -> msgspec.Raw | None:
        """JSON text at ``a.b`` in nested mappings, or of the whole; None where a step is missing."""
        if path is None:
            return self._whole
        here: dict[str, msgspec.Raw] = self._top or {}
        *above, last = path.split(".")
        for step in above:
            try:
                here = _mapping.decode(here[step])
            except (KeyError, msgspec.ValidationError):
                return None
        return here.get(last)

    def at(self, path: str) -> Any:
        """Value at a path; None where a step is missing."""
        found = self.raw(path)
        return None if found is None else msgspec.json.decode(found)


def _tolerated(answer: Answer, problem: Exception) -> msgspec.Raw:
    """Text to look into where some value is one that JSON does not have: NaN, half a pair of surrogates.

    The page lands as it is: which of its records fit is for their contract to say.
    """
    try:
        parsed = json.loads(answer.body.decode(errors="replace"), parse_constant=str)
        return msgspec.Raw(json.dumps(parsed, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError):
        raise ContradictionError(
            f"the answer is not JSON ({answer.content_type}): {problem}; it begins with {answer.body[:80]!r}"
        ) from None


@dataclass(frozen=True, slots=True)
class Found:
    """What an answer says. ``mark`` tells its records from others; there is none for no records."""

    answer: Answer
    content: Content
    rows: int
    total: int | None
    mark: int | None


def find(endpoint: Endpoint, answer: Answer) -> Found:
    """Look into an answer.

    :raises ContradictionError: if it is not what is declared, or says that it is an error.
    :raises PassingError: if it is cut short.
    """
    content = Content(answer)
    _refuse_error(endpoint, content)
    listed = content.raw(endpoint.records)
    try:
        rows = len(_list.decode(listed)) if listed is not None else None
    except msgspec.ValidationError:
        is_one = endpoint.records is None and isinstance(endpoint.pagination, OnePage)
        rows = 1 if is_one else None
    if listed is None or rows is None:
        where = repr(endpoint.records) if endpoint.records else "the top"
        raise ContradictionError(f"no list of records at {where}. Correct `records`")
    return Found(answer, content, rows, _total(endpoint, content), mark(listed) if rows else None)


def mark(content: bytes | msgspec.Raw) -> int:
    """What tells contents apart: the first 64 bits of their SHA-256."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8])


def _total(endpoint: Endpoint, content: Content) -> int | None:
    if endpoint.total is None:
        return None
    value = content.at(endpoint.total)
    try:
        return int(value)
    except (TypeError, ValueError):
        text = f"no number at {endpoint.total!r}, but {value!r:.60}. Correct `total`, or remove it"
        raise ContradictionError(text) from None


def _refuse_error(endpoint: Endpoint, content: Content) -> None:
    declared = endpoint.error
    if declared is None:
        return
    value = content.at(declared.path)
    if value and value not in declared.ok:
        raise ContradictionError(f"the answer is an error at {declared.path!r}: {value!r:.200}")


def rows_at(records: str | None, body: bytes) -> int:
    """Number of records in a page.

    :raises ContradictionError: if it is not JSON, or has no list there.
    """
    try:
        here: Any = json.loads(body.decode(errors="replace"))
    except ValueError as error:
        raise ContradictionError(f"a page is not JSON: {error}; it begins with {body[:80]!r}") from None
    for step in records.split(".") if records else ():
        here = here.get(step) if isinstance(here, dict) else None
    if not isinstance(here, list):
        raise ContradictionError(f"a page has no list of records at {records or 'the top'}. Correct `records`")
    return len(here)
