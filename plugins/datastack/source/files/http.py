"""Files on a web server, which has no lists: each is asked for by its address."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import httpx
import tenacity

from datastack.contract.delivered import Delivered
from datastack.source.errors import SourceError
from datastack.source.files.globs import matches
from datastack.source.files.store import Description, Readable, Wanted, changed

_DIGEST = "sha256-"  # of the content: the version of a file that a server says nothing about
_BLOCK = 1024 * 1024
_REDIRECTS = 5
_NOT_THERE = (httpx.codes.NOT_FOUND, httpx.codes.GONE)
_NO_HEAD = (httpx.codes.METHOD_NOT_ALLOWED, httpx.codes.NOT_IMPLEMENTED)


@dataclass(frozen=True)
class HttpLogin:
    """How to reach a server: its address, and a user with a password, or a bearer token alone."""

    base_url: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def auth(self) -> tuple[httpx.Auth | None, dict[str, str]]:
        """What goes with each request."""
        if self.user:
            return httpx.BasicAuth(self.user, self.password or ""), {}
        return None, {"Authorization": f"Bearer {self.password}"} if self.password else {}


class _UnreadyError(Exception):
    """The server can't answer now."""


class HttpStore:
    """A folder on a web server. A redirect is followed within the server, and to nowhere else.

    :param folder: path below the server's address; ``/`` for all of it.
    """

    readers = 4

    def __init__(self, login: HttpLogin, folder: str) -> None:
        self._login = login
        self._base = httpx.URL(login.base_url.rstrip("/") + "/" + f"{folder.strip('/')}/".lstrip("/"))

    def __enter__(self) -> Self:
        auth, headers = self._login.auth()
        # Files as they are stored: not packed for the way, and not unpacked on arrival.
        self._http = httpx.Client(
            auth=auth, headers=headers | {"Accept-Encoding": "identity"}, timeout=30, follow_redirects=False
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def list(self, wanted: Wanted) -> list[Delivered]:
        """Files that are there, of those whose names are asked for."""
        ends = {wanted.files.replace("{period}", name): window.end for name, window in wanted.periods}
        keys = [key for key in ends if matches(key, key, wanted.exclude)]
        with ThreadPoolExecutor(self.readers, thread_name_prefix="list-http") as pool:
            return [found for found in pool.map(lambda key: self._look(key, ends[key]), keys) if found]

    @contextmanager
    def open(self, delivered: Delivered) -> Iterator[Readable]:
        """Open a file; what the server says of its version is compared before and after, or else its digest."""
        by_digest = delivered.etag.startswith(_DIGEST)
        with self._answer("GET", delivered.key) as answer:
            if answer.status_code in _NOT_THERE:
                raise changed(self._url(delivered.key), delivered)
            if not by_digest and _version(answer) != delivered.etag:
                raise changed(self._url(delivered.key), delivered)
            body = _Body(self, delivered.key, answer)
            yield body
        if (body.version if by_digest else self._version_now(delivered.key)) != delivered.etag:
            raise changed(self._url(delivered.key), delivered)

    def exists(self, key: str) -> bool:
        """Whether there is such a file."""
        return self._look(key, datetime.now(UTC)) is not None

    def describe(self, delivered: Delivered) -> Description:
        """Content type, as far as the server states one."""
        answer = self._head(delivered.key)
        return Description(answer.headers.get("content-type") if answer else None)

    def _look(self, key: str, complete_at: datetime) -> Delivered | None:
        """Version of a file; a server that doesn't say when it was modified is taken not to change it any more."""
        answer = self._head(key)
        if answer is None:
            return None
        version, size = _version(answer), answer.headers.get("content-length")
        if answer.status_code in _NO_HEAD or version is None or size is None:
            return self._read_version(key, complete_at)
        return Delivered(key=key, etag=version, modified_at=_modified_at(answer) or complete_at, bytes=int(size))

    def _read_version(self, key: str, complete_at: datetime) -> Delivered | None:
        """Version of a file that only its content tells: all of it is read."""
        with self._answer("GET", key) as answer:
            if answer.status_code in _NOT_THERE:
                return None
            body = _Body(self, key, answer)
            while body.read(_BLOCK):
                pass
            modified_at = _modified_at(answer) or complete_at
            return Delivered(key=key, etag=body.version, modified_at=modified_at, bytes=body.count)

    def _version_now(self, key: str) -> str | None:
        answer = self._head(key)
        return None if answer is None else _version(answer)

    def _head(self, key: str) -> httpx.Response | None:
        with self._answer("HEAD", key) as answer:
            return None if answer.status_code in _NOT_THERE else answer

    @contextmanager
    def _answer(self, method: str, key: str) -> Iterator[httpx.Response]:
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((_UnreadyError, httpx.TransportError)),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
            stop=tenacity.stop_after_attempt(4),
            reraise=True,
        )
        try:
            answer = retrying(self._send, method, self._url(key))
        except (_UnreadyError, httpx.TransportError) as error:
            raise SourceError(f"{method} {self._url(key)} failed 4 times, at last: {error or type(error)}") from error
        try:
            yield answer
        finally:
            answer.close()

    def _send(self, method: str, url: str) -> httpx.Response:
        at = httpx.URL(url)
        for _ in range(_REDIRECTS):
            answer = self._http.send(self._http.build_request(method, at), stream=True)
            if not answer.has_redirect_location:
                return self._checked(method, answer)
            answer.close()
            at = self._redirected(at, answer.headers["location"])
        raise SourceError(f"{method} {url}: more than {_REDIRECTS} redirects. Does the server need a login?")

    def _redirected(self, at: httpx.URL, location: str) -> httpx.URL:
        """Follow within the server only: elsewhere may be anything, and whoever is asked there is sent our login."""
        to = at.join(location)
        same_host = to.host == self._base.host
        upgraded = (self._base.scheme, to.scheme) == ("http", "https") and to.port is None and self._base.port is None
        if same_host and ((to.scheme, to.port) == (self._base.scheme, self._base.port) or upgraded):
            return to
        raise SourceError(
            f"{at} redirects to {to.copy_with(query=None, userinfo=b'')}, which is not {_origin(self._base)}: refused. "
            "If the files have moved there, name that server in the connection"
        )

    @staticmethod
    def _checked(method: str, answer: httpx.Response) -> httpx.Response:
        status = answer.status_code
        if status == httpx.codes.OK or status in _NOT_THERE or (method == "HEAD" and status in _NO_HEAD):
            return answer
        answer.close()
        said = f"{status} {answer.reason_phrase}"
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise _UnreadyError(said)
        raise SourceError(f"{method} {answer.request.url} was answered {said}. Is the connection's login right?")

    def _url(self, key: str) -> str:
        return str(httpx.URL(f"{self._base}{key}"))

    def failed(self, key: str, error: Exception) -> SourceError:
        """Say which file was cut off."""
        return SourceError(f"reading {self._url(key)} failed: {error or type(error).__name__}")


class _Body:
    """A file on its way, counted and hashed."""

    def __init__(self, store: HttpStore, key: str, answer: httpx.Response) -> None:
        self._store, self._key = store, key
        self._blocks = answer.iter_raw(_BLOCK)
        self._held = memoryview(b"")
        self._sha = hashlib.sha256()
        self.count = 0

    @property
    def version(self) -> str:
        """Version that the content read so far makes."""
        return _DIGEST + self._sha.hexdigest()[:32]

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; none at the end.

        :raises SourceError: if the server ends early.
        """
        if not self._held:
            try:
                self._held = memoryview(next(self._blocks, b""))
            except httpx.TransportError as error:
                raise self._store.failed(self._key, error) from error
            self._sha.update(self._held)
            self.count += len(self._held)
        taken, self._held = self._held[:size], self._held[size:]
        return bytes(taken)


def _version(answer: httpx.Response) -> str | None:
    """Version of a file by what the server says of it: its ETag, else when it was modified and its size."""
    if etag := answer.headers.get("etag"):
        return str(etag).removeprefix("W/").strip('"')
    modified_at, size = _modified_at(answer), answer.headers.get("content-length")
    return f"{size}-{int(modified_at.timestamp())}" if modified_at and size else None


def _modified_at(answer: httpx.Response) -> datetime | None:
    """When a file was modified, if the server says so."""
    try:
        return parsedate_to_datetime(answer.headers["last-modified"]).astimezone(UTC)
    except (KeyError, ValueError):
        return None


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode()}"
