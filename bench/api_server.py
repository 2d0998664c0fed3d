"""An API that costs next to nothing: pages of 100 records, rendered before, cut from memory.

Run as ``python -m bench.api_server PORT PAGES RATE``. ``/offset?offset=…&limit=…`` and ``/cursor?cursor=…`` give pages;
``/limited`` gives the former at most RATE times in any second, and else 429; ``/stats`` tells what ``/limited`` saw
since it was last asked.
"""

import asyncio
import json
import random
import sys
import time
from collections import deque
from typing import ClassVar, cast
from urllib.parse import parse_qs

import uvloop

RECORDS = 100
_VARIANTS = 256  # of a page's records: together more than what a packer looks back for
_HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


class Pages:
    """Renders pages. Of a page only the first record and the end are its own."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self._chance = random.Random(1)  # noqa: S311 the same pages each time
        self._rests = [b",".join(self._record() for _ in range(RECORDS - 1)) for _ in range(_VARIANTS)]

    def page(self, number: int) -> bytes:
        """Return a page, from 0 on."""
        following = b"null" if number + 1 >= self.pages else b'"c%d"' % (number + 1)
        return b'{"data": [{"id": %d}, %s], "total": %d, "next_cursor": %s}' % (
            number,
            self._rests[number % _VARIANTS],
            self.pages * RECORDS,
            following,
        )

    def _record(self) -> bytes:
        chance = self._chance
        record = {
            "id": chance.randrange(10**9),
            "customer": {"id": chance.randrange(10**6), "segment": chance.choice("abcdef")},
            "amount": chance.randrange(10**6) / 100,
            "currency": "EUR",
            "placed_at": f"2026-01-{chance.randrange(1, 29):02d}T{chance.randrange(24):02d}:00:00Z",
            "note": chance.randbytes(24).hex(),
        }
        return json.dumps(record).encode()


class Connection(asyncio.Protocol):
    """One client's connection; requests have no body."""

    seen: ClassVar[deque[float]] = deque()
    accepted: ClassVar[list[float]] = []
    refused = 0

    def __init__(self, pages: Pages, rate: int) -> None:
        self._pages, self._rate, self._received = pages, rate, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            target, self._received = self._received.split(b" ", 2)[1].decode(), self._received[end + 4 :]
            status, body = self._answer(*target.partition("?")[::2])
            self._transport.write(_HEAD % (status, len(body)) + body)

    def _answer(self, path: str, query: str) -> tuple[bytes, bytes]:
        if path == "/stats":
            accepted, Connection.accepted = Connection.accepted, []
            refused, Connection.refused = Connection.refused, 0
            return b"200 OK", json.dumps({"accepted": accepted, "refused": refused}).encode()
        if path == "/limited" and not self._accept(time.monotonic()):
            return b"429 Too Many Requests\r\nRetry-After: 1", b"{}"
        params = parse_qs(query)
        if "cursor" in params:
            return b"200 OK", self._pages.page(int(params["cursor"][0].removeprefix("c")))
        return b"200 OK", self._pages.page(int(params.get("offset", ["0"])[0]) // RECORDS)

    def _accept(self, now: float) -> bool:
        while self.seen and now - self.seen[0] >= 1:
            self.seen.popleft()
        if len(self.seen) >= self._rate:
            Connection.refused += 1
            return False
        self.seen.append(now)
        Connection.accepted.append(now)
        return True


async def serve(port: int, pages: int, rate: int) -> None:
    """Serve until the process is stopped."""
    rendered = Pages(pages)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(rendered, rate), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(*map(int, sys.argv[1:])))
