"""A REST API for code that is not asynchronous: pages come in batches, read ahead as far as memory allows."""

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Self, TypeVar

import uvloop

from datastack.contract.api_sources import ApiSource, Endpoint, PythonStream
from datastack.contract.slice import Slice
from datastack.source.errors import SourceError
from datastack.source.rest.answer import Answer
from datastack.source.rest.asked import Asked
from datastack.source.rest.client import Client
from datastack.source.rest.function import load_function
from datastack.source.rest.limiter import Clock
from datastack.source.rest.page import rows_at
from datastack.source.rest.reading import Keys, Stand, read
from datastack.source.rest.secrets import Credentials
from datastack.source.rest.walk import Page

BATCH_BYTES = 256 * 1024
BATCH_SECONDS = 1.0  # after which a batch is given as it is, be it empty

T = TypeVar("T")


class RestApi:
    """One API; close it after use, or use it as a context manager. Not for several threads at once.

    :param address: scheme, host, port, and the path that all others are below.
    """

    def __init__(self, source: ApiSource, address: str, credentials: Credentials, clock: Clock | None = None) -> None:
        self._source = source
        self._loop = uvloop.new_event_loop()
        self._reading: asyncio.Task[None] | None = None
        try:
            self._client = self._run(_made(source, address, credentials, clock))
        except BaseException:
            self._loop.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._reading:
            self._reading.cancel()
            self._run(asyncio.wait([self._reading]))
        self._run(self._client.__aexit__())
        self._run(self._loop.shutdown_asyncgens())
        self._loop.close()

    def batches(
        self, endpoint: Endpoint, window: Slice, stand: Stand | None = None, parents: Iterable[Keys] | None = None
    ) -> Iterator[list[Page]]:
        """Yield an endpoint's pages in order, some at a time; nothing is read while nobody asks for the next ones.

        :param stand: where to go on.
        :param parents: keys of the parent's records, for a child endpoint.
        :raises SourceError: if the API fails for good, contradicts itself, or gives something other than declared.
        """
        pages = read(self._client, endpoint, window, self._source.limits.concurrency, stand, parents)
        return self._batches(pages)

    def get(self, path: str, params: dict[str, Any] | None = None) -> Answer:
        """Ask for a path below the API's address, with identity, limits and retries.

        :raises SourceError: if it fails as often as declared, or for good.
        """
        return self._ask(Asked("GET", path, params or {}))

    def post(self, path: str, body: Any = None, params: dict[str, Any] | None = None) -> Answer:
        """Send a JSON body to a path below the API's address; it may arrive more than once if an answer gets lost.

        :raises SourceError: if it fails as often as declared, or for good.
        """
        return self._ask(Asked("POST", path, params or {}, body))

    def wait(self, seconds: float) -> None:
        """Wait before asking again."""
        self._run(self._client.wait(seconds))

    def python_batches(self, file: Path, name: str, stream: PythonStream, window: Slice) -> Iterator[list[Page]]:
        """Yield what the function ``pages`` of a file yields: answers, bytes, or what JSON can say.

        :raises SourceError: if there is no such function, or something in what it yields is not as declared.
        """
        for given in load_function(file)(self, name, window):
            body = given.body if isinstance(given, Answer) else given
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
            yield [Page(body, rows_at(stream.records, body), None, ())]

    def _ask(self, asked: Asked) -> Answer:
        if not asked.path.startswith("/"):
            raise SourceError(f"{asked}: paths begin with / and are below the API's address")
        return self._run(self._client.fetch(asked, lambda answer: answer))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def _batches(self, pages: AsyncGenerator[Page, None]) -> Iterator[list[Page]]:
        batch = _Batch()
        self._reading = self._loop.create_task(batch.fill(pages))
        while True:
            is_last = self._run(batch.ready(self._reading))
            yield batch.take()
            if is_last:
                self._reading.result()
                return


class _Batch:
    """Pages that wait to be taken; while they are many no others are read."""

    def __init__(self) -> None:
        self._pages: list[Page] = []
        self._size = 0
        self._full, self._room = asyncio.Event(), asyncio.Event()

    async def fill(self, pages: AsyncGenerator[Page, None]) -> None:
        """Gather pages."""
        async with aclosing(pages):
            async for page in pages:
                self._pages.append(page)
                self._size += len(page.body)
                if self._size >= BATCH_BYTES:
                    self._room.clear()
                    self._full.set()
                    await self._room.wait()

    async def ready(self, filling: "asyncio.Task[None]") -> bool:
        """Wait until there are many, or the last ones, or for some time; say whether they are the last ones."""
        full = asyncio.ensure_future(self._full.wait())
        await asyncio.wait([full, filling], timeout=BATCH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        full.cancel()
        return filling.done()

    def take(self) -> list[Page]:
        """Return the pages, and make room for others."""
        taken, self._pages, self._size = self._pages, [], 0
        self._full.clear()
        self._room.set()
        return taken


async def _made(source: ApiSource, address: str, credentials: Credentials, clock: Clock | None) -> Client:
    """Make a client within the loop that it is used in."""
    return Client(source, address, credentials, clock)
