"""An answer's body: bounded, unpacked, complete."""

import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import httpx

from datastack.source.errors import SourceError
from datastack.source.rest.asked import Asked
from datastack.source.rest.errors import PassingError

ACCEPT_ENCODING = "gzip"  # what is unpacked here piece by piece, so that a bomb is noticed before it is in memory
_GZIP = 16 + zlib.MAX_WBITS
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer to a request, its body unpacked."""

    asked: Asked
    headers: httpx.Headers
    body: bytes

    def json(self) -> Any:
        """Parse the body.

        :raises SourceError: if it is not JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise SourceError(f"{self.asked} did not answer in JSON ({self.content_type}): {error}") from error

    @property
    def content_type(self) -> str:
        """What the API says the body is."""
        return self.headers.get("content-type", "no content type")


async def read_body(response: httpx.Response, limit: int) -> bytes:
    """Read a body to its end.

    :param limit: of its size in bytes, unpacked.
    :raises PassingError: if it is cut short.
    :raises SourceError: if it is too large, or packed in a way that was not asked for.
    """
    headers = response.headers
    encoding = headers.get("content-encoding", "identity")
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise SourceError(f"the answer is packed by {encoding}, which was not asked for")
    if int(headers.get("content-length", 0)) > limit:
        raise _too_large(f"of {int(headers['content-length']):,} bytes", limit)
    unpack = None if encoding == "identity" else _Unpacker()
    pieces, size = [], 0
    async for packed in cast(httpx.AsyncByteStream, response.stream):
        piece = unpack(packed, limit - size) if unpack else packed
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise _too_large("that goes on", limit)
    if unpack and size and not unpack.ended:
        raise PassingError("the packed answer is cut short")
    return (pieces[0] if len(pieces) == 1 else b"".join(pieces)).removeprefix(_BYTE_ORDER_MARK)


class _Unpacker:
    """Unpacks gzip, one byte more than allowed at most."""

    def __init__(self) -> None:
        self._gzip = zlib.decompressobj(_GZIP)

    @property
    def ended(self) -> bool:
        return self._gzip.eof

    def __call__(self, packed: bytes, room: int) -> bytes:
        found = b""
        try:
            while packed and len(found) <= room:
                if self._gzip.eof:  # a stream of several members
                    self._gzip = zlib.decompressobj(_GZIP)
                found += self._gzip.decompress(packed, room + 1 - len(found))
                packed = self._gzip.unused_data
        except zlib.error as error:
            raise PassingError(f"the answer can't be unpacked: {error}") from error
        return found


def _too_large(how: str, limit: int) -> SourceError:
    return SourceError(
        f"an answer {how} was refused: max_response_bytes is {limit:,}. Nothing of it was kept. Ask for smaller pages, "
        "or raise the limit if an answer may be so large"
    )


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or an HTTP date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
