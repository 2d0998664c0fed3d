"""Goes from page to page of one list, and refuses pages that can't be of one list."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from datastack.contract.api_sources import Endpoint
from datastack.source.rest.asked import Asked
from datastack.source.rest.client import Client
from datastack.source.rest.errors import ContradictionError
from datastack.source.rest.page import Found, find, mark
from datastack.source.rest.paging import OnePager, Position, pager


@dataclass(frozen=True, slots=True)
class At:
    """Where a walk stands after a page: which page comes next, and what was passed.

    ``total`` is what the API states, ``step`` how many records its first page had.
    """

    position: Position
    ended: bool
    pages: int
    records: int
    total: int | None
    step: int


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its body as received, its number of records, and where the walk stands after it.

    ``marks`` are what no later page may have; ``parent`` are the keys of the record that it belongs to, which is the
    one of the given ``number``.
    """

    body: bytes
    rows: int
    at: At | None
    marks: tuple[int, ...]
    parent: dict[str, Any] | None = None
    number: int = 0


class Walk:
    """One way through the pages of a list.

    :param asked: what each request has in common.
    :param width: how many pages may be asked for at once, where it is known which ones there are.
    :param at: where an earlier walk stood; None begins.
    :param seen: the marks of its pages.
    :param last: that of the last one of them.
    """

    def __init__(
        self,
        client: Client,
        endpoint: Endpoint,
        asked: Asked,
        width: int,
        at: At | None,
        seen: Iterable[int],
        last: int | None,
    ) -> None:
        self._client, self._asked, self._width, self._at, self._seen = client, asked, width, at, set(seen)
        self._last = last
        self._pager: OnePager = pager(endpoint.pagination, client)
        self._find = partial(find, endpoint)

    async def pages(self) -> AsyncGenerator[Page, None]:
        """Yield the pages in order, the last one included; an empty list is one page of no records.

        :raises SourceError: if one can't be had, repeats an earlier one, or says something else than they did.
        """
        if self._at is None:
            yield self._page(self._pager.first, await self._fetch(self._pager.first))
        elif self._pager.is_numbered and not self._at.ended:
            await self._see_that_it_is_the_same(self._at)
        while self._at is not None and not self._at.ended:
            if self._pager.is_numbered and self._at.total is not None:
                async with aclosing(self._together(self._at)) as pages:
                    async for page in pages:
                        yield page
            else:
                position = self._at.position
                yield self._page(position, await self._fetch(position))

    async def _see_that_it_is_the_same(self, at: At) -> None:
        """Read the last page of the earlier walk again: numbers mean other records if the list has moved since."""
        position = self._pager.before(at.position, at.step)
        if (await self._fetch(position)).mark != self._last:
            raise self._changed(position, "gives other records than when it was read before")

    async def _fetch(self, position: Position) -> Found:
        return await self._client.fetch(self._pager.ask(self._asked, position), self._find)

    async def _together(self, at: At) -> AsyncGenerator[Page, None]:
        """Yield all pages that are left; they are asked for some pages ahead."""
        positions = self._pager.rest(at.position, at.records, at.total or 0, at.step)
        left, last = iter(positions), positions[-1]
        coming: deque[tuple[Position, asyncio.Task[Found]]] = deque()
        try:
            while True:
                for position in islice(left, 2 * self._width - len(coming)):
                    coming.append((position, asyncio.create_task(self._fetch(position))))
                if not coming:
                    return
                found = await coming[0][1]
                position, _ = coming.popleft()
                yield self._page(position, found, position == last)
        finally:
            for _, task in coming:
                task.cancel()
            await asyncio.gather(*(task for _, task in coming), return_exceptions=True)

    def _page(self, position: Position, found: Found, is_last: bool = False) -> Page:
        """Take note of a page; refuse it if it can't be."""
        before = self._at
        records = found.rows + (before.records if before else 0)
        if before and before.total != found.total:
            raise self._changed(position, f"states {found.total} records in all, and an earlier page {before.total}")
        following = None if is_last else self._pager.after(found, position, records)
        step = before.step if before else found.rows
        pages = before.pages + 1 if before else 1
        self._at = At(following, following is None, pages, records, found.total, step)
        if found.total is not None and (found.rows == 0 or following is None) and records != found.total:
            raise self._changed(position, f"ends after {records} records, but the API states {found.total} in all")
        marks = tuple(self._marks(found, position, following))
        self._seen.update(marks)
        return Page(found.answer.body, found.rows, self._at, marks)

    def _marks(self, found: Found, position: Position, following: Position | None) -> Iterable[int]:
        """Yield what no later page may have: these records, this way to go on."""
        if found.mark is not None:
            if found.mark in self._seen:
                text = f"gave the same {found.rows} records as an earlier page. Is it paged as declared?"
                raise self._refused(position, text)
            yield found.mark
        if following is not None and not self._pager.is_numbered:
            way = mark(json.dumps(following, sort_keys=True).encode())
            if way in self._seen:
                raise self._refused(position, f"names as the next page one that was read already: {following!r:.200}")
            yield way

    def _changed(self, position: Position, text: str) -> ContradictionError:
        return self._refused(
            position,
            f"{text}: the list changed while it was read. If it changes all the time, ask only for what lies before "
            "{slice_end}, or read it by cursor and without `total`",
        )

    def _refused(self, position: Position, text: str) -> ContradictionError:
        return ContradictionError(f"{self._pager.ask(self._asked, position)} {text}")
