"""A web server with the files that a test puts there, and the faults that it orders."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class File:
    """A file; ``says`` are the headers by which it tells its version: etag, last-modified, content-length."""

    content: bytes
    modified_at: datetime = datetime(2019, 11, 10, tzinfo=UTC)
    says: tuple[str, ...] = ("etag", "last-modified", "content-length")
    headers: dict[str, str] = field(default_factory=dict)

    def all_headers(self) -> dict[str, str]:
        told = {
            "etag": f'"{md5(self.content, usedforsecurity=False).hexdigest()}"',
            "last-modified": format_datetime(self.modified_at, usegmt=True),
            "content-length": str(len(self.content)),
        }
        return {name: told[name] for name in self.says} | self.headers


@dataclass
class Web:
    """What the server has, and what it was asked.

    ``redirects`` maps paths to locations. ``answers`` are statuses to answer with before anything else, by path.
    ``cut`` is after how many bytes bodies end. ``meanwhile`` is called while a body is on its way.
    """

    url: str = ""
    files: dict[str, File] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    answers: dict[str, list[int]] = field(default_factory=dict)
    heads: bool = True
    login: str | None = None
    cut: int | None = None
    meanwhile: Any = None
    asked: list[tuple[str, str]] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    web: Web
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, body: bool) -> None:
        web = self.web
        web.asked.append((self.command, self.path))
        if web.login and self.headers.get("authorization") != web.login:
            return self._say(401)
        if web.answers.get(self.path):
            return self._say(web.answers[self.path].pop(0))
        if self.path in web.redirects:
            return self._say(302, {"location": web.redirects[self.path]})
        if not body and not web.heads:
            return self._say(405)
        file = web.files.get(self.path)
        if file is None:
            return self._say(404)
        headers = file.all_headers()
        if body and "content-length" not in headers:
            headers["transfer-encoding"] = "chunked"
        self._say(200, headers, keep_length=True)
        if body:
            self._send(file.content, "transfer-encoding" in headers)

    def _send(self, content: bytes, chunked: bool) -> None:
        half = len(content) // 2
        for piece in (content[:half], content[half:]):
            if self.web.cut is not None:
                self.wfile.write(piece[: self.web.cut])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked and piece else piece)
            self.wfile.flush()
            if self.web.meanwhile:
                self.web.meanwhile()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _say(self, status: int, headers: dict[str, str] | None = None, keep_length: bool = False) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if not keep_length:
            self.send_header("content-length", "0")
        self.end_headers()


@contextmanager
def serving() -> Iterator[Web]:
    """Run a server."""
    web = Web()
    handler = type("Handler", (_Handler,), {"web": web})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
