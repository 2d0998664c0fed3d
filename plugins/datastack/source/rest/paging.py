"""Where the next page is: one small class a kind of pagination."""

from typing import Any

from datastack.contract.api_paging import Cursor, LinkHeader, NextUrl, Offset, PageNumber, Pagination
from datastack.source.rest.asked import Asked, Params
from datastack.source.rest.client import Client
from datastack.source.rest.links import next_link, path_below
from datastack.source.rest.page import Found

# What tells a page from the others: a number, what the API gave as a cursor, or path and query. Stored in checkpoints.
Position = Any


class OnePager:
    """Everything in one answer, and what the others have in common."""

    first: Position = None
    is_numbered = False  # whether positions can be told in advance, and mean other records once the list has changed

    def ask(self, asked: Asked, position: Position) -> Asked:
        """Return the request for a page."""
        return asked

    def after(self, found: Found, position: Position, passed: int) -> Position | None:
        """Position of the page after this one; None if it is the last.

        :param passed: number of records up to here, those of this page included.
        """
        return None

    def before(self, position: Position, step: int) -> Position:
        """Position of the page before one that is numbered, where each page has ``step`` records."""
        raise NotImplementedError

    def rest(self, position: Position, passed: int, total: int, step: int) -> range:
        """Positions from one on, up to a total, where each page has ``step`` records."""
        raise NotImplementedError


class NumberPager(OnePager):
    """Pages by number. Without a total they end with an empty one: a short one may be all that the API gives."""

    is_numbered = True

    def __init__(self, declared: PageNumber) -> None:
        self._declared, self.first = declared, declared.first

    def ask(self, asked: Asked, position: Position) -> Asked:
        """Return the request for a page."""
        size = {self._declared.size_param: self._declared.size} if self._declared.size else {}
        return asked.with_params({self._declared.page_param: position, **size}, self._declared.sent_in == "body")

    def after(self, found: Found, position: Position, passed: int) -> Position | None:
        """Return the next number."""
        return _unless_done(found, passed, position + 1)

    def before(self, position: Position, step: int) -> Position:
        """Return the number before."""
        return position - 1

    def rest(self, position: Position, passed: int, total: int, step: int) -> range:
        """Return the numbers of as many pages as the records that are left take."""
        return range(position, position - (passed - total) // step)


class OffsetPager(OnePager):
    """Pages by the number of records before them. Without a total they end with an empty one."""

    is_numbered = True
    first = 0

    def __init__(self, declared: Offset) -> None:
        self._declared = declared

    def ask(self, asked: Asked, position: Position) -> Asked:
        """Return the request for a page."""
        limit = {self._declared.limit_param: self._declared.limit} if self._declared.limit else {}
        return asked.with_params({self._declared.offset_param: position, **limit}, self._declared.sent_in == "body")

    def after(self, found: Found, position: Position, passed: int) -> Position | None:
        """Return how many records to pass over."""
        return _unless_done(found, passed, passed)

    def before(self, position: Position, step: int) -> Position:
        """Return the offset of a page's records less."""
        return position - step

    def rest(self, position: Position, passed: int, total: int, step: int) -> range:
        """Return offsets at the distance of a page."""
        return range(position, total, step)


class CursorPager(OnePager):
    """Pages that name the next one."""

    def __init__(self, declared: Cursor) -> None:
        self._declared = declared

    def ask(self, asked: Asked, position: Position) -> Asked:
        """Return the request for a page; the first one needs no cursor."""
        declared = self._declared
        params: Params = {declared.size_param: declared.size} if declared.size else {}
        if position is not None:
            params[declared.cursor_param] = position
        return asked.with_params(params, declared.sent_in == "body")

    def after(self, found: Found, position: Position, passed: int) -> Position | None:
        """Return the cursor that the page gives, unless it says that no more follow."""
        more = self._declared.more_path
        if more and not found.content.at(more):
            return None
        cursor = found.content.at(self._declared.next_path)
        return cursor if cursor or cursor == 0 else None


class AddressPager(OnePager):
    """Pages that give the next one's address, in the body or in a header; only one at the same API is followed.

    :param next_path: where in the body; the header Link unless given.
    """

    def __init__(self, client: Client, next_path: str | None = None) -> None:
        self._client, self._next_path = client, next_path

    def ask(self, asked: Asked, position: Position) -> Asked:
        """Return the request for a page."""
        return asked if position is None else Asked(asked.method, position, {}, asked.body)

    def after(self, found: Found, position: Position, passed: int) -> Position | None:
        """Return path and query of the next page."""
        given = found.content.at(self._next_path) if self._next_path else next_link(found.answer.headers.get("link"))
        if not given:
            return None
        client = self._client
        return path_below(client.address, found.answer.asked.target, str(given), client.secret_params)


def pager(declared: Pagination, client: Client) -> OnePager:
    """Return how the declared kind of pagination goes from page to page."""
    match declared:
        case PageNumber():
            return NumberPager(declared)
        case Offset():
            return OffsetPager(declared)
        case Cursor():
            return CursorPager(declared)
        case NextUrl():
            return AddressPager(client, declared.next_path)
        case LinkHeader():
            return AddressPager(client)
    return OnePager()


def _unless_done(found: Found, passed: int, position: int) -> int | None:
    done = found.rows == 0 if found.total is None else passed >= found.total
    return None if done else position
