"""A server that answers as the marketing API does, with whatever records a test wants."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class StubApi:
    """Records by path; each path is one page. ``bodies`` holds the answers that were sent."""

    def __init__(self) -> None:
        self.records: dict[str, list[Any]] = {}
        self.total: int | None = None  # stated in place of the true one
        self.url = ""

    def answer(self, path: str, query: str) -> dict[str, Any]:
        """Return the page of a path, or a token."""
        if path == "/oauth/token":
            return {"access_token": "t", "token_type": "Bearer", "expires_in": 60}
        data = self.found(path, query)
        return {"data": data, "total": len(data) if self.total is None else self.total, "next_cursor": None}

    def found(self, path: str, query: str) -> list[Any]:
        """Return the records of a path."""
        return self.records.get(path, [])


@contextmanager
def stub(api: StubApi | None = None) -> Iterator[StubApi]:
    """Serve on a free loopback port."""
    api = api or StubApi()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            content = json.dumps(api.answer(asked.path, asked.query)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
