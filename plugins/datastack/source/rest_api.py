"""Reads declared REST endpoints page by page, exactly as received."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import tenacity

from datastack.contract.api_sources import ApiSource, ApiStream, Cursor, Offset, PageNumber
from datastack.contract.slice import Slice
from datastack.source.errors import SourceError

_LONGEST_WAIT = 300.0  # seconds; a server that asks for more fails the try, and Airflow's retry comes later


class Unready(Exception):
    """The server can't answer now; ``wait`` is how many seconds it asked for, if it did."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True)
class Page:
    """One page: the body as received, its parsed content and records, and the total that it states, if any."""

    body: bytes
    content: Any
    records: list[Any]
    total: int | None

    @property
    def rows(self) -> int:
        """Number of records."""
        return len(self.records)


@dataclass
class RestApi:
    """A client for one API; close it after use, or use it as a context manager.

    :param base_url: scheme, host and port.
    :param client_id: the connection's login.
    :param client_secret: the connection's password.
    """

    source: ApiSource
    base_url: str
    client_id: str
    client_secret: str = field(repr=False)
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        self._http = httpx.Client(base_url=self.base_url, timeout=self.source.timeout_seconds, follow_redirects=False)
        self._token: str | None = None

    def __enter__(self) -> "RestApi":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def pages(self, stream: ApiStream, window: Slice) -> Iterator[Page]:
        """Yield the endpoint's pages for the window, the last one included; an empty answer is one page of no rows.

        :raises SourceError: if the API fails for good, repeats a page, or gives something other than declared.
        """
        bounds = {"slice_start": _iso(window.start), "slice_end": _iso(window.end)}
        fixed = {name: value.format(**bounds) for name, value in stream.params.items()}
        position: dict[str, Any] = _first(stream.pagination)
        passed = 0
        previous: list[Any] = []
        while True:
            page = self._page(stream, fixed | position)
            if page.rows and page.records == previous:
                raise SourceError(
                    f"{stream.path} gave the same page twice, the second time for {position}. Is it paged as declared?"
                )
            yield page
            passed, previous = passed + page.rows, page.records
            following = _next(stream.pagination, position, page, passed)
            if following is None:
                return
            if following == position:
                raise SourceError(f"{stream.path} names the page {position} as its own successor")
            position = following

    def _page(self, stream: ApiStream, params: dict[str, Any]) -> Page:
        response = self._get(stream.path, params)
        try:
            content = response.json()
        except json.JSONDecodeError as error:
            kind = response.headers.get("content-type", "no content type")
            raise SourceError(f"{stream.path} {params} did not answer in JSON ({kind}): {error}") from error
        records = dig(content, stream.records)
        if not isinstance(records, list):
            raise SourceError(f"{stream.path} {params}: no list of records at {stream.records!r}. Correct `records`")
        total = dig(content, stream.total) if stream.total else None
        return Page(response.content, content, records, total)

    def _get(self, path: str, params: dict[str, Any]) -> httpx.Response:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((Unready, httpx.TransportError)),
            wait=_wait,
            stop=tenacity.stop_after_attempt(self.source.attempts),
            sleep=self.sleep,
        )
        try:
            return retrying(self._get_once, path, params)
        except tenacity.RetryError as error:
            cause = error.last_attempt.exception()
            raise SourceError(f"GET {path} {params} failed {self.source.attempts} times, at last: {cause}") from cause

    def _get_once(self, path: str, params: dict[str, Any]) -> httpx.Response:
        if self._token is None:
            self._token = self._authenticate()
        response = self._http.get(path, params=params, headers={"Authorization": f"Bearer {self._token}"})
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._token = None
            raise Unready("401, the token has expired or is not valid")
        return _checked(response)

    def _authenticate(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        response = self._http.post(self.source.auth.token_path, data=form)
        if response.status_code in (httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED):
            raise SourceError(
                f"{self.source.auth.token_path} refused the credentials of connection {self.source.connection!r}"
            )
        token: str = _checked(response).json()["access_token"]
        return token


def dig(content: Any, path: str) -> Any:
    """Value at ``a.b`` in nested mappings; None where a step is missing."""
    for step in path.split("."):
        content = content.get(step) if isinstance(content, dict) else None
    return content


def _checked(response: httpx.Response) -> httpx.Response:
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Unready(f"{status} {response.reason_phrase}", retry_after(response.headers.get("retry-after")))
    if status != httpx.codes.OK:
        raise SourceError(f"{response.request.method} {response.request.url.path}: {status} {response.text[:200]}")
    return response


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


_backoff = tenacity.wait_random_exponential(multiplier=0.5, max=30)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, Unready) else None
    if asked is None:
        return _backoff(state)
    if asked > _LONGEST_WAIT:
        raise SourceError(f"the server asks to wait {asked:.0f} s; try again later") from error
    return asked


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _first(pagination: PageNumber | Offset | Cursor) -> dict[str, Any]:
    match pagination:
        case PageNumber():
            return {pagination.page_param: 1, pagination.size_param: pagination.size}
        case Offset():
            return {pagination.offset_param: 0, pagination.limit_param: pagination.limit}
        case Cursor():
            return {pagination.size_param: pagination.size}


def _next(
    pagination: PageNumber | Offset | Cursor, position: dict[str, Any], page: Page, passed: int
) -> dict[str, Any] | None:
    """Parameters of the next page, or None after the last one."""
    if isinstance(pagination, Cursor):
        token = dig(page.content, pagination.next_path)
        return {**position, pagination.cursor_param: token} if token else None
    if page.rows == 0 or (page.total is not None and passed >= page.total):
        return None
    if isinstance(pagination, PageNumber):
        done = page.rows < pagination.size
        return None if done else {**position, pagination.page_param: position[pagination.page_param] + 1}
    done = page.rows < pagination.limit
    return None if done else {**position, pagination.offset_param: passed}
