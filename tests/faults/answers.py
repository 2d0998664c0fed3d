"""Answers of HTTP servers that can't, or won't: S3's errors, and those of an API."""

import socket

from tests.faults.fault import Kind

RETRY_AFTER = 1  # seconds
_CHUNK = 1 << 16
_SAYS = {
    Kind.SLOW_DOWN: ("503 Slow Down", "SlowDown"),
    Kind.INTERNAL_ERROR: ("500 Internal", "InternalError"),
    Kind.TOO_MANY: ("429 Too Many Requests", "TooManyRequests"),
}


def answer(client: socket.socket, request: bytes, kind: Kind) -> None:
    """Answer a request in S3's way, once it has come whole: closing earlier would break the client's sending."""
    while b"\r\n\r\n" not in request and (more := client.recv(_CHUNK)):
        request += more
    head, _, body = request.partition(b"\r\n\r\n")
    fields = dict(line.partition(b": ")[::2] for line in head.lower().split(b"\r\n"))
    size = 0 if b"expect" in fields else int(fields.get(b"content-length", b"0"))
    while len(body) < size and (more := client.recv(_CHUNK)):
        body += more
    status, code = _SAYS[kind]
    xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{status}</Message></Error>'
    headers = f"Content-Type: application/xml\r\nContent-Length: {len(xml)}\r\nConnection: close"
    if kind is Kind.TOO_MANY:
        headers += f"\r\nRetry-After: {RETRY_AFTER}"
    client.sendall(f"HTTP/1.1 {status}\r\n{headers}\r\n\r\n{xml}".encode())
