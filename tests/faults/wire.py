"""What passes on the wire, as events that have names: a request by HTTP, a statement to Postgres."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

CONNECT = "connect"
_REQUEST = re.compile(rb"(GET|PUT|POST|HEAD|DELETE) (\S+) HTTP/1\.1\r\n")
_VARIES = re.compile("[0-9a-f]{5,}|[0-9]+")  # parts of objects' names
_VARIABLE = re.compile(r"'[^']*'|\$?\d+")
_LONGEST = 60  # characters of a statement that name it


@dataclass
class Event:
    """Something that the client says, how often it has said it, when, and the bytes that went for it in both ways."""

    name: str
    nth: int
    up: int = 0
    down: int = 0
    at: float = field(default_factory=time.monotonic)


class HttpReader:
    """Finds the requests of one connection; a client that waits for each answer begins a read with each of them."""

    def read(self, data: bytes) -> Iterator[tuple[int, str]]:
        """Yield where events begin in what the client sends, and their names."""
        if match := _REQUEST.match(data):
            path, _, query = match[2].decode().partition("?")
            _, bucket, *folders = path.split("/")
            name = f"{folders[0]}/{_VARIES.sub('*', folders[-1])}" if folders else bucket
            action = re.split("[=&]", query)[0]
            yield 0, f"{match[1].decode()} {name}{'?' if action else ''}{action}"

    def is_answer(self, data: bytes) -> bool:
        """Whether the server answers, or only wants the rest of the request."""
        return not data.startswith(b"HTTP/1.1 100 ")


class BytesReader:
    """Sees only that a connection begins, and bytes after that: what is encrypted has no events."""

    def __init__(self) -> None:
        self._is_connected = False

    def read(self, data: bytes) -> Iterator[tuple[int, str]]:
        """Yield the beginning."""
        if not self._is_connected:
            self._is_connected = True
            yield 0, CONNECT

    def is_answer(self, data: bytes) -> bool:
        """Whether the server answers: it does whenever it says something."""
        return True


class PostgresReader:
    """Finds the statements of one connection: frontend messages of type Query and Parse, and the first one of all.

    (PostgreSQL documentation, chapter "Frontend/Backend Protocol", section "Message Formats".)
    """

    def __init__(self) -> None:
        self._message = b""  # what is there of the current one, where it matters
        self._skip = 0
        self._is_connected = False

    def read(self, data: bytes) -> Iterator[tuple[int, str]]:
        """Yield where events begin in what the client sends, and their names."""
        start = position = 0
        while position < len(data):
            if self._skip:
                taken = min(self._skip, len(data) - position)
                self._skip -= taken
            else:
                start = start if self._message else position
                taken = min(self._missing(), len(data) - position)
                self._message += data[position : position + taken]
                if not self._missing():
                    yield from ((start, name) for name in self._complete())
            position += taken

    def is_answer(self, data: bytes) -> bool:
        """Whether the server answers: it does whenever it says something."""
        return True

    @property
    def _head(self) -> int:
        return 5 if self._is_connected else 4  # the first message has no type

    def _body(self) -> int:
        return int.from_bytes(self._message[self._head - 4 : self._head], "big") - 4

    def _missing(self) -> int:
        """Bytes to read before it is known what the message is."""
        have = len(self._message)
        if have >= self._head and self._is_connected and self._message[:1] in (b"Q", b"P"):
            return self._head + self._body() - have
        return max(self._head - have, 0)

    def _complete(self) -> Iterator[str]:
        if self._message[:1] in (b"Q", b"P") and self._is_connected:
            yield _statement(self._message)
        else:
            self._skip = self._body()
            if not self._is_connected and self._skip > 4:  # the request for TLS has 4
                self._is_connected = True
                yield CONNECT
        self._message = b""


def _statement(message: bytes) -> str:
    """Name a Query or Parse message: the beginning of its SQL, without what differs from run to run."""
    text = message[5:] if message[:1] == b"Q" else message[5:].partition(b"\0")[2]
    sql = " ".join(text.partition(b"\0")[0].decode(errors="replace").split())
    return _VARIABLE.sub("?", sql)[:_LONGEST].lower()
