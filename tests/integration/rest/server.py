"""A real HTTP server with whatever API a test wants, and sources that declare it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from datastack.contract.api_sources import ApiSource, ApiStream
from datastack.contract.slice import Slice
from datastack.source.rest.api import RestApi
from datastack.source.rest.limiter import Clock
from datastack.source.rest.secrets import Credentials
from datastack.source.rest.walk import Page

WINDOW = Slice.parse("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z")
SIZE = 3

# Each kind of pagination as it is declared, and as the server below answers it.
PAGINATIONS: dict[str, dict[str, Any]] = {
    "page_number": {"kind": "page_number", "size": SIZE},
    "page_number from 0": {"kind": "page_number", "size": SIZE, "first": 0},
    "offset": {"kind": "offset", "limit": SIZE},
    "cursor": {"kind": "cursor", "size": SIZE},
    "cursor with more_path": {"kind": "cursor", "size": SIZE, "next_path": "meta.always", "more_path": "meta.more"},
    "next_url": {"kind": "next_url", "next_path": "links.next"},
    "link_header": {"kind": "link_header"},
}


@dataclass(frozen=True)
class Asked:
    """A request as the server got it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def params(self) -> dict[str, Any]:
        """Parameters of the query and of a JSON body."""
        is_json = self.headers.get("content-type") == "application/json"
        return self.query | (json.loads(self.body) if is_json else {})


@dataclass(frozen=True)
class Reply:
    """An answer; ``cut`` ends it after so many bytes, ``endless`` goes on with more."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    endless: Iterator[bytes] | None = None


def reply(content: Any, status: int = 200, **headers: str) -> Reply:
    """Return an answer in JSON."""
    return Reply(json.dumps(content).encode(), status, {"Content-Type": "application/json"} | headers)


class Api:
    """A list behind an endpoint, paged in every way at once, and what a test changes of it.

    ``faults`` are applied to the first data answers, one after the other; ``routes`` answer whole paths.
    """

    def __init__(self) -> None:
        self.records: list[Any] = []
        self.total: int | None = None
        self.asked: list[Asked] = []
        self.faults: list[Callable[[Asked, Reply], Reply]] = []
        self.routes: dict[str, Callable[[Asked], Reply]] = {}
        self.size = SIZE
        self.url = ""

    def answer(self, asked: Asked) -> Reply:
        """Answer a request."""
        if asked.path in self.routes:
            return self.routes[asked.path](asked)
        self.asked.append(asked)
        found = self.page(asked, self.records)
        return self.faults.pop(0)(asked, found) if self.faults else found

    def page(self, asked: Asked, records: list[Any]) -> Reply:
        """Return the page that a request wants."""
        params = asked.params
        start = int(params.get("offset", params.get("cursor", params.get("at", 0))))
        if "page" in params:
            start = (int(params["page"]) - (0 if self.counts_from_0 else 1)) * self.size
        end, is_last = start + self.size, start + self.size >= len(records)
        following = None if is_last else f"{asked.path}?at={end}"
        link = f'<{self.url}{following}>; rel="next", <{self.url}/>; rel="first"' if following else ""
        content = {
            "data": records[start:end],
            "total": len(records) if self.total is None else self.total,
            "next_cursor": None if is_last else end,
            "meta": {"always": end, "more": not is_last},
            "links": {"next": following},
        }
        return reply(content, **({"Link": link} if link else {}))

    counts_from_0 = False

    @property
    def data_requests(self) -> list[dict[str, Any]]:
        """Parameters of the data requests so far."""
        return [each.params for each in self.asked]


@contextmanager
def serving() -> Iterator[Api]:
    """Serve an API on a free loopback port."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(api.answer(Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)))

        do_POST = do_GET

        def _send(self, answer: Reply) -> None:
            self.send_response(answer.status)
            length = {} if answer.endless else {"Content-Length": str(len(answer.body))}
            for name, value in (length | answer.headers).items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(answer.body[: answer.cut])
                for piece in answer.endless or ():
                    self.wfile.write(piece)
            except OSError:
                self.close_connection = True  # the client has gone: it refused the rest
            if answer.cut is not None or answer.endless:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()


def source(stream: dict[str, Any], **more: Any) -> ApiSource:
    """Declare a source with one stream, ``things``, unless ``streams`` are given."""
    fixed = {
        "name": "shop",
        "description": "d",
        "kind": "rest_api",
        "connection": "shop_api",
        "owner": "o",
        "domain": "d",
        "tier": 1,
        "schedule": "0 0 * * *",
        "start_date": "2020-01-01",
        "auth": {"kind": "none"},
        "attempts": 3,
        "timeout": "PT5S",
        "streams": {"things": {"path": "/things", "records": "data", "write": "replace"} | stream},
    }
    return ApiSource.model_validate(fixed | more)


class FakeClock(Clock):
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.time = 0.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds


class Reader:
    """Reads a server's API as it is declared."""

    def __init__(self, api: Api, declared: ApiSource, clock: Clock | None = None, **credentials: Any) -> None:
        self.api, self.declared, self.clock = api, declared, clock or FakeClock()
        self.credentials = Credentials("shop_api", **credentials)

    def pages(self, **more: Any) -> list[Page]:
        """Read the stream ``things``."""
        with RestApi(self.declared, self.api.url, self.credentials, self.clock) as api:
            stream: ApiStream = self.declared.endpoints["things"]
            return [page for batch in api.batches(stream, WINDOW, **more) for page in batch]

    def numbers(self) -> list[int]:
        """Read the numbers of the records."""
        return [record["n"] for page in self.pages() for record in json.loads(page.body)["data"]]


def numbered(count: int) -> list[dict[str, int]]:
    """Return so many records, each with its number."""
    return [{"n": n} for n in range(count)]
