"""One line that shows what goes on: rewritten in place on a terminal, a new line a change elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType
from typing import Self, TextIO


class Progress:
    """Shows stage, detail and time elapsed since it was made.

    :param stream: where to; standard output unless given.
    :param quiet_seconds: without a terminal, an unchanged stage with changed detail is repeated at most this often.
    """

    def __init__(self, stream: TextIO | None = None, quiet_seconds: float = 15) -> None:
        self._stream = stream or sys.stdout
        self._terminal = self._stream.isatty()
        self._quiet = quiet_seconds
        self._began = time.monotonic()
        self._shown = ("", "")
        self._shown_at = -quiet_seconds

    def show(self, stage: str, detail: str = "") -> None:
        """Show the stage and its detail."""
        now = time.monotonic()
        line = f"{self.elapsed():>6}  {stage}" + (f": {detail}" if detail else "")
        if self._terminal:
            width = shutil.get_terminal_size().columns
            self._stream.write(f"\r\x1b[K{line[: width - 1]}")
        elif self._shown[0] != stage or (self._shown[1] != detail and now - self._shown_at >= self._quiet):
            self._stream.write(f"{line}\n")
            self._shown, self._shown_at = (stage, detail), now
        self._stream.flush()

    def done(self, text: str) -> None:
        """Leave a line that stays."""
        start = "\r\x1b[K" if self._terminal else ""
        self._stream.write(f"{start}{self.elapsed():>6}  {text}\n")
        self._stream.flush()

    def elapsed(self) -> str:
        """Return the time since the start as m:ss."""
        seconds = int(time.monotonic() - self._began)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        """End the line in place."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
