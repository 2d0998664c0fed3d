"""The pages of a stream: of one list, or of a list for each record of a parent stream."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from datastack.contract import template
from datastack.contract.api_sources import Endpoint
from datastack.contract.slice import Slice
from datastack.source.errors import SourceError
from datastack.source.rest.asked import Asked
from datastack.source.rest.client import Client
from datastack.source.rest.walk import At, Page, Walk

_WAITING = 4  # pages of a list that wait while those of another one are taken

Keys = dict[str, Any]


@dataclass(frozen=True)
class Stand:
    """Where the reading of a stream stood when it was interrupted: in which list, and where there.

    ``marks`` are those of its pages, ``last`` that of the last one.
    """

    at: At
    number: int = 0
    marks: frozenset[int] = frozenset()
    last: int | None = None


async def read(
    client: Client, endpoint: Endpoint, window: Slice, width: int, stand: Stand | None, parents: Iterable[Keys] | None
) -> AsyncGenerator[Page, None]:
    """Yield a stream's pages in order.

    :param width: how many requests may be made at once.
    :param stand: where to go on.
    :param parents: keys of the parent's records, for a child endpoint.
    """
    if parents is None:
        walk = Walk(client, endpoint, asked(endpoint, window, {}), width, *_left(stand, 0))
        async with aclosing(walk.pages()) as pages:
            async for page in pages:
                yield page
        return
    lists = (
        _children(client, endpoint, window, stand, number, keys)
        for number, keys in enumerate(parents)
        if not stand or number >= stand.number
    )
    async with aclosing(_in_turn(lists, width)) as pages:
        async for page in pages:
            yield page


def asked(endpoint: Endpoint, window: Slice, keys: Keys) -> Asked:
    """Return the request for a list, templates filled.

    :raises SourceError: if a parent's key can't stand in a path.
    """
    values = {"slice_start": window.start, "slice_end": window.end, **keys}
    return Asked(
        endpoint.method,
        template.fill_text(endpoint.path, {name: _step(name, value) for name, value in keys.items()}),
        {name: template.fill_text(value, values) for name, value in endpoint.params.items()},
        template.fill(endpoint.body, values),
    )


def _step(name: str, value: Any) -> str:
    """Write a key as one step of a path, from which it can't escape."""
    if isinstance(value, bool) or not isinstance(value, str | int) or value in ("", ".", ".."):
        raise SourceError(f"the parent's {name} is {value!r:.60}, which can't stand in a path")
    return quote(str(value), safe="")


def _left(stand: Stand | None, number: int) -> tuple[At | None, frozenset[int], int | None]:
    return (stand.at, stand.marks, stand.last) if stand and stand.number == number else (None, frozenset(), None)


async def _children(
    client: Client, endpoint: Endpoint, window: Slice, stand: Stand | None, number: int, keys: Keys
) -> AsyncGenerator[Page, None]:
    walk = Walk(client, endpoint, asked(endpoint, window, keys), 1, *_left(stand, number))
    async with aclosing(walk.pages()) as pages:
        async for page in pages:
            yield replace(page, parent=keys, number=number)


async def _in_turn(lists: Iterator[AsyncGenerator[Page, None]], width: int) -> AsyncGenerator[Page, None]:
    """Yield the pages of lists one list after the other, while the next lists are being read."""
    running: deque[tuple[asyncio.Queue[Page | Exception | None], asyncio.Task[None]]] = deque()
    try:
        while True:
            while len(running) < width and (pages := next(lists, None)):
                queue: asyncio.Queue[Page | Exception | None] = asyncio.Queue(_WAITING)
                running.append((queue, asyncio.create_task(_put(pages, queue))))
            if not running:
                return
            while found := await running[0][0].get():
                if isinstance(found, Exception):
                    raise found
                yield found
            running.popleft()
    finally:
        for _, task in running:
            task.cancel()
        await asyncio.gather(*(task for _, task in running), return_exceptions=True)


async def _put(pages: AsyncGenerator[Page, None], queue: "asyncio.Queue[Page | Exception | None]") -> None:
    try:
        async with aclosing(pages):
            async for page in pages:
                await queue.put(page)
        await queue.put(None)
    except Exception as error:  # raised again where the pages are taken
        await queue.put(error)
