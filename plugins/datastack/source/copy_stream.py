"""Streams the bytes of `COPY … TO STDOUT` from a thread of its own, with the network and the decoding side by side."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

from datastack.codec.ahead import End, Handover
from datastack.contract.sql import sql

BLOCK_BYTES = 1024 * 1024
BLOCKS_AHEAD = 2
CONNECT_SECONDS = 30
# A server sends 8 kB at a time. Fetching each at once takes four times the CPU of letting them gather
# in the socket.
SMALL_BYTES = 64 * 1024
GATHER_SECONDS = 0.001


class CopySession:
    """A connection that streams one query after another, all in one snapshot; it connects for the first.

    :param uri: libpq address.
    :param snapshot: id of an exported snapshot to read from.

    ``is_idle`` tells whether it can take a query: not while one is read, and no more once one was left midway.
    """

    def __init__(self, uri: str, snapshot: str) -> None:
        import uvloop

        self._uri, self._snapshot = uri, snapshot
        self._connection: Any = None
        self.is_idle = True
        self.loop = uvloop.new_event_loop()

    async def connection(self) -> Any:
        """Return the connection, in a transaction that has the snapshot."""
        import asyncpg

        if self._connection is None:
            self._connection = await asyncpg.connect(self._uri, timeout=CONNECT_SECONDS)
            await self._connection.execute("begin transaction isolation level repeatable read read only")
            await self._connection.execute(f"set transaction snapshot '{self._snapshot}'")
            await self._connection.execute(sql("postgres/source_session"))
        return self._connection

    def close(self) -> None:
        """Close the connection, whatever it is doing."""
        if self._connection is not None:
            self._connection.terminate()
            self.loop.run_until_complete(asyncio.sleep(0))  # in it, the loop lets go of the socket
        self.loop.close()


class CopyStream:
    """The bytes that a query gives in binary COPY format.

    :param session: what to read by, idle.
    :param query: what to copy.
    """

    def __init__(self, session: CopySession, query: str) -> None:
        self._session, self._query = session, query
        self._blocks = Handover[list[bytes]](BLOCKS_AHEAD)
        self._thread = threading.Thread(target=self._blocks.work, args=(self._run,), name="copy-stream", daemon=True)
        self._task: asyncio.Task[None] | None = None
        self.rows = 0  # what the server says it sent, once all blocks are read

    def __enter__(self) -> "CopyStream":
        """Start reading ahead."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, wherever the stream is."""
        self._blocks.leave()
        if self._task:
            self._session.loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes as they came; raise the driver's error where it stopped the stream."""
        while not isinstance(block := self._blocks.take(), End):
            yield from block
        block.check()

    def _run(self) -> None:
        self._session.loop.run_until_complete(self._copy())

    async def _copy(self) -> None:
        self._task, self._session.is_idle = asyncio.current_task(), False
        self._blocks.check()
        connection = await self._session.connection()
        sink = _Sink(self)
        tag = await connection.copy_from_query(self._query, output=sink, format="binary")
        await sink.flush()
        self.rows, self._session.is_idle = int(tag.removeprefix("COPY ")), True

    async def put(self, block: list[bytes]) -> None:
        """Hand pieces over; wait without holding up the loop while the reader is behind."""
        while not self._blocks.offer(block):
            await asyncio.sleep(0.002)


class _Sink:
    """Gathers the driver's small pieces into blocks."""

    def __init__(self, stream: CopyStream) -> None:
        self._stream, self._pieces, self._size = stream, list[bytes](), 0

    async def __call__(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= BLOCK_BYTES:
            await self.flush()
        if len(piece) < SMALL_BYTES:
            await asyncio.sleep(GATHER_SECONDS)

    async def flush(self) -> None:
        if self._pieces:
            block, self._pieces, self._size = self._pieces, [], 0
            await self._stream.put(block)
