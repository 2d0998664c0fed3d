"""Streams the bytes of `COPY … TO STDOUT` from a thread of its own, with the network and the decoding side by side."""

import asyncio
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress

from datastack.contract.sql import sql

BLOCK_BYTES = 1024 * 1024
BLOCKS_AHEAD = 2
CONNECT_SECONDS = 30


class _StopError(Exception):
    """The reader has left."""


class CopyStream:
    """The bytes that a query gives in binary COPY format.

    :param uri: libpq address.
    :param snapshot: id of an exported snapshot to read from.
    :param query: what to copy.
    """

    def __init__(self, uri: str, snapshot: str, query: str) -> None:
        self._uri, self._snapshot, self._query = uri, snapshot, query
        self._blocks: queue.Queue[list[bytes] | None] = queue.Queue(BLOCKS_AHEAD)
        self._failure: BaseException | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="copy-stream", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self.rows = 0  # what the server says it sent, once all blocks are read

    def __enter__(self) -> "CopyStream":
        """Start reading ahead."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, wherever the stream is."""
        self._stopped.set()
        with suppress(RuntimeError):  # its loop has ended
            if self._loop and self._task:
                self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes as they came; raise the driver's error where it stopped the stream."""
        while (block := self._blocks.get()) is not None:
            yield from block
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        import uvloop

        try:
            uvloop.run(self._copy())
        except (_StopError, asyncio.CancelledError):
            pass  # nobody waits for the rest
        except BaseException as error:
            self._failure = error
        self._offer(None)

    async def _copy(self) -> None:
        import asyncpg

        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._stopped.is_set():
            return
        connection = await asyncpg.connect(self._uri, timeout=CONNECT_SECONDS)
        try:
            await connection.execute("begin transaction isolation level repeatable read read only")
            await connection.execute(f"set transaction snapshot '{self._snapshot}'")
            await connection.execute(sql("postgres/source_session"))
            sink = _Sink(self)
            tag = await connection.copy_from_query(self._query, output=sink, format="binary")
            await sink.flush()
            self.rows = int(tag.removeprefix("COPY "))
        finally:
            connection.terminate()

    async def put(self, block: list[bytes]) -> None:
        """Hand pieces over; wait without holding up the loop while the reader is behind."""
        while not self._stopped.is_set():
            try:
                return self._blocks.put_nowait(block)
            except queue.Full:
                await asyncio.sleep(0.002)
        raise _StopError

    def _offer(self, end: None) -> None:
        while not self._stopped.is_set():
            try:
                return self._blocks.put(end, timeout=0.1)
            except queue.Full:
                continue


class _Sink:
    """Gathers the driver's small pieces into blocks."""

    def __init__(self, stream: CopyStream) -> None:
        self._stream, self._pieces, self._size = stream, list[bytes](), 0

    async def __call__(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= BLOCK_BYTES:
            await self.flush()

    async def flush(self) -> None:
        if self._pieces:
            block, self._pieces, self._size = self._pieces, [], 0
            await self._stream.put(block)
