"""Bytes on their way from a landed file to its reader."""

import io
import tempfile
from collections.abc import Callable
from typing import IO

from datastack.source.errors import SourceError

BLOCK = 1024 * 1024


class FormatError(SourceError):
    """A file is not what it is declared to be, or is not whole: names the file."""


class Stream(io.RawIOBase):
    """A read-only stream that can be looked into before it is read, and counts what was read.

    :param name: of the file, for errors.
    :param source: returns up to so many bytes, and none at the end.
    """

    def __init__(self, name: str, source: Callable[[int], bytes]) -> None:
        super().__init__()
        self.name, self._source, self._held = name, source, b""
        self.count = 0
        self.error: Exception | None = None  # of the source's own: whoever unpacks can tell it from bad content

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def peek(self, size: int) -> bytes:
        """Return the next bytes, which stay there to be read; fewer only at the end."""
        while len(self._held) < size and (more := self._fetch(size - len(self._held))):
            self._held += more
        return self._held[:size]

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes; all unless given."""
        if size is None or size < 0:
            return self.readall()
        if self._held:
            found, self._held = self._held[:size], self._held[size:]
        else:
            found = self._fetch(size)
        self.count += len(found)
        return found

    def readall(self) -> bytes:
        """Return what is left."""
        return b"".join(iter(lambda: self.read(BLOCK), b""))

    def _fetch(self, size: int) -> bytes:
        try:
            return self._source(size)
        except Exception as error:
            self.error = error
            raise

    def fail(self, problem: str) -> FormatError:
        """Describe what is wrong with the file."""
        return FormatError(f"{self.name} {problem}")

    def half_written(self, how: str) -> FormatError:
        """Describe a file that ends too early."""
        return self.fail(
            f"is cut short or damaged ({how}). Nothing was loaded of it; delivered again, it comes with the next run"
        )


def spooled(stream: Stream, limit: int, what: str) -> IO[bytes]:
    """Copy a stream to a temporary file, for formats that are not read from front to end; close it to delete it.

    :raises FormatError: if it is longer than ``limit``.
    """
    file = tempfile.TemporaryFile(prefix="datastack-")  # noqa: SIM115 the caller closes it
    try:
        while block := stream.read(BLOCK):
            file.write(block)
            if stream.count > limit:
                raise stream.fail(f"is larger than the {limit} bytes that {what} may have")
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file
